//! Dates as French readers in Morocco expect them: local time, in words.
//! Two small tables replace a locale crate.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc, Weekday};
use chrono_tz::Africa::Casablanca;

const MOIS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// « mardi 24 novembre 2026 ».
#[must_use]
pub fn date_fr(jour: NaiveDate) -> String {
    let nom = match jour.weekday() {
        Weekday::Mon => "lundi",
        Weekday::Tue => "mardi",
        Weekday::Wed => "mercredi",
        Weekday::Thu => "jeudi",
        Weekday::Fri => "vendredi",
        Weekday::Sat => "samedi",
        Weekday::Sun => "dimanche",
    };
    let numero = if jour.day() == 1 { "1er".to_owned() } else { jour.day().to_string() };
    format!("{nom} {numero} {} {}", MOIS[jour.month0() as usize], jour.year())
}

/// « mardi 24 novembre 2026 à 09 h 30 », in the local time of Morocco: one hour ahead of UTC,
/// and on UTC during Ramadan. The hour does not break over two lines.
#[must_use]
pub fn date_heure_fr(instant: DateTime<Utc>) -> String {
    let local = instant.with_timezone(&Casablanca);
    let (heure, minute) = (local.hour(), local.minute());
    format!("{} à\u{a0}{heure:02}\u{a0}h\u{a0}{minute:02}", date_fr(local.date_naive()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lu(instant: &str) -> String {
        date_heure_fr(instant.parse().unwrap()).replace('\u{a0}', " ")
    }

    #[test]
    fn an_ordinary_day_is_one_hour_ahead_of_utc() {
        assert_eq!(lu("2026-11-24T08:30:00Z"), "mardi 24 novembre 2026 à 09 h 30");
        assert_eq!(lu("2026-08-31T23:05:00Z"), "mardi 1er septembre 2026 à 00 h 05");
    }

    #[test]
    fn ramadan_goes_back_to_utc() {
        // Ramadan 2026: the clocks change on 15 February and on 22 March.
        assert_eq!(lu("2026-02-14T09:00:00Z"), "samedi 14 février 2026 à 10 h 00");
        assert_eq!(lu("2026-03-01T09:00:00Z"), "dimanche 1er mars 2026 à 09 h 00");
        assert_eq!(lu("2026-03-23T09:00:00Z"), "lundi 23 mars 2026 à 10 h 00");
    }

    #[test]
    fn every_month_and_day_has_its_name() {
        let mut jour = NaiveDate::from_ymd_opt(2028, 1, 1).unwrap();
        let mut vus = std::collections::BTreeSet::new();
        while jour.year() == 2028 {
            vus.extend(date_fr(jour).split(' ').step_by(2).map(str::to_owned));
            jour = jour.succ_opt().unwrap();
        }
        assert_eq!(vus.len(), 7 + 12);
    }
}
