//! Dates as readers in Morocco expect them: local time, in words, in French and in English.
//! Four small tables replace a locale crate.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

use crate::{Lang, local};

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

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// From Monday on.
const JOURS: [&str; 7] = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// « mardi 24 novembre 2026 », or "Tuesday 24 November 2026".
#[must_use]
pub fn date(jour: NaiveDate, langue: Lang) -> String {
    let (weekday, month) = (jour.weekday().num_days_from_monday() as usize, jour.month0() as usize);
    let (jour_nom, mois, premier) = match langue {
        Lang::Fr => (JOURS[weekday], MOIS[month], "1er"),
        Lang::En => (DAYS[weekday], MONTHS[month], "1"),
    };
    let numero = if jour.day() == 1 { premier.to_owned() } else { jour.day().to_string() };
    format!("{jour_nom} {numero} {mois} {}", jour.year())
}

/// « mardi 24 novembre 2026 à 09 h 30 », or "Tuesday 24 November 2026 at 09:30", by the clock in
/// Morocco ([`local`]). The hour does not break over two lines.
#[must_use]
pub fn date_heure(instant: DateTime<Utc>, langue: Lang) -> String {
    let local = local::wall(instant);
    let (jour, heure, minute) = (date(local.date(), langue), local.hour(), local.minute());
    match langue {
        Lang::Fr => format!("{jour} à\u{a0}{heure:02}\u{a0}h\u{a0}{minute:02}"),
        Lang::En => format!("{jour} at\u{a0}{heure:02}:{minute:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lu(instant: &str) -> [String; 2] {
        [Lang::Fr, Lang::En]
            .map(|langue| date_heure(instant.parse().unwrap(), langue).replace('\u{a0}', " "))
    }

    #[test]
    fn the_hour_is_that_of_the_rules() {
        // On UTC since 20 September 2026, and an hour ahead before.
        assert_eq!(
            lu("2026-11-24T08:30:00Z"),
            ["mardi 24 novembre 2026 à 08 h 30", "Tuesday 24 November 2026 at 08:30"]
        );
        assert_eq!(
            lu("2026-08-31T23:05:00Z"),
            ["mardi 1er septembre 2026 à 00 h 05", "Tuesday 1 September 2026 at 00:05"]
        );
    }

    #[test]
    fn ramadan_goes_back_to_utc() {
        // Ramadan 2026: the clocks change on 15 February and on 22 March.
        assert_eq!(lu("2026-02-14T09:00:00Z")[0], "samedi 14 février 2026 à 10 h 00");
        assert_eq!(lu("2026-03-01T09:00:00Z")[0], "dimanche 1er mars 2026 à 09 h 00");
        assert_eq!(lu("2026-03-23T09:00:00Z")[0], "lundi 23 mars 2026 à 10 h 00");
    }

    #[test]
    fn every_month_and_day_has_its_name() {
        for langue in [Lang::Fr, Lang::En] {
            let mut jour = NaiveDate::from_ymd_opt(2028, 1, 1).unwrap();
            let mut vus = std::collections::BTreeSet::new();
            while jour.year() == 2028 {
                vus.extend(date(jour, langue).split(' ').step_by(2).map(str::to_owned));
                jour = jour.succ_opt().unwrap();
            }
            assert_eq!(vus.len(), 7 + 12);
        }
    }
}
