//! The period of the indicators: local days, and the instants at which they begin and end.
use chrono::{DateTime, Days, NaiveDate, Utc};

use super::KpiFilter;
use crate::{
    Error, Result,
    input::{Fault, Fields, Wrong},
    local,
};

/// The days of a period without a beginning, the last one included.
const DEFAULT: u64 = 90;
/// The most days of a period: three years, one of them a leap year.
const MOST: i64 = 1096;
/// How many days before and after the period a visit may be held and comply: more than a tenth of a year.
const AROUND: u64 = 37;

/// From the local day `du` to the local day `au`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periode {
    pub du: NaiveDate,
    pub au: NaiveDate,
    /// When `du` begins.
    pub debut: DateTime<Utc>,
    /// When `au` has ended, or the time of the request if that is earlier: what has not happened is not measured.
    pub fin: DateTime<Utc>,
}

impl Periode {
    /// The period that `filter` names: without `au` until today, without `du` of ninety days.
    pub fn of(filter: &KpiFilter, now: DateTime<Utc>) -> Result<Self> {
        let today = local::day_of(now);
        let au = filter.au.unwrap_or_else(|| filter.du.map_or(today, |du| du.max(today)));
        let du = filter.du.unwrap_or(au - Days::new(DEFAULT - 1));
        if let Some((name, wrong)) = wrong(du, au) {
            let loc = vec!["query".to_owned(), name.to_owned()];
            return Err(Error::Invalid(vec![Fault { loc, msg: wrong.msg, kind: wrong.kind }]));
        }
        let (debut, fin) = (local::start_of(du), local::start_of(au + Days::new(1)));
        Ok(Self { du, au, debut, fin: fin.min(now).max(debut) })
    }

    /// Whether it has not begun.
    pub(super) fn is_empty(&self) -> bool {
        self.debut >= self.fin
    }

    /// When each local day begins, from some days before the period to some days after it: the place of an instant among them is its day.
    pub(super) fn jours(&self) -> Vec<DateTime<Utc>> {
        let first = self.du - Days::new(AROUND);
        let last = self.au + Days::new(AROUND + 1);
        first.iter_days().take_while(|day| *day <= last).map(local::start_of).collect()
    }
}

/// The check of a request that names both days.
pub(super) fn in_order(
    fields: &mut Fields,
    du: Option<&Option<NaiveDate>>,
    au: Option<&Option<NaiveDate>>,
) {
    if let (Some(Some(du)), Some(Some(au))) = (du, au)
        && let Some((name, wrong)) = wrong(*du, *au)
    {
        fields.fault(name, wrong);
    }
}

/// What is wrong with a period, and the field that is at fault.
fn wrong(du: NaiveDate, au: NaiveDate) -> Option<(&'static str, Wrong)> {
    if du > au {
        let wrong = Wrong::new(
            "periode_inversee",
            format!(
                "La période finit avant de commencer : choisissez un premier jour au plus tard le {au}."
            ),
            format!("The period ends before it begins: choose a first day up to {au}."),
        );
        return Some(("du", wrong));
    }
    ((au - du).num_days() >= MOST).then(|| {
        let wrong = Wrong::new(
            "periode_trop_longue",
            format!("La période couvre au plus trois ans ({MOST} jours) : rapprochez-en le début et la fin."),
            format!("The period covers at most three years ({MOST} days): bring its first and last day closer."),
        );
        ("du", wrong)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::testing::{RULES_2025B, use_rules};

    fn of(du: Option<&str>, au: Option<&str>, now: &str) -> Result<Periode> {
        let day = |text: Option<&str>| text.map(|text| text.parse().unwrap());
        let filter = KpiFilter { client_id: None, equipement_id: None, du: day(du), au: day(au) };
        Periode::of(&filter, now.parse().unwrap())
    }

    #[test]
    fn a_period_begins_and_ends_at_midnight_in_morocco() {
        let _rules = use_rules(RULES_2025B);
        let now = "2026-03-31T23:30:00Z"; // There it is 00:30 on 1 April.
        let ninety = of(None, None, now).unwrap();
        assert_eq!(
            (ninety.du.to_string(), ninety.au.to_string()),
            ("2026-01-02".into(), "2026-04-01".into())
        );
        assert_eq!(ninety.fin, now.parse::<DateTime<Utc>>().unwrap(), "today is not over");
        // The clocks go back on 15 February: three days of 73 hours.
        let ramadan = of(Some("2026-02-14"), Some("2026-02-16"), now).unwrap();
        assert_eq!(ramadan.debut.to_rfc3339(), "2026-02-13T23:00:00+00:00");
        assert_eq!((ramadan.fin - ramadan.debut).num_hours(), 73);
        assert!(ramadan.jours().is_sorted_by(|a, b| a < b));
        assert_eq!(ramadan.jours().len(), 37 + 3 + 37 + 1);
        assert!(of(Some("2026-04-02"), None, now).unwrap().is_empty());
        assert!(!of(Some("2026-04-01"), None, now).unwrap().is_empty());
    }

    #[test]
    fn a_period_is_three_years_at_the_most_and_not_reversed() {
        let now = "2026-03-31T12:00:00Z";
        let kind = |du, au| match of(du, au, now) {
            Err(Error::Invalid(faults)) => faults[0].kind,
            other => panic!("{other:?}"),
        };
        assert_eq!(kind(Some("2026-02-02"), Some("2026-02-01")), "periode_inversee");
        assert_eq!(kind(Some("2020-01-01"), None), "periode_trop_longue");
        assert_eq!(kind(Some("2023-01-01"), Some("2026-01-01")), "periode_trop_longue");
        assert!(of(Some("2023-01-01"), Some("2025-12-31"), now).is_ok());
        assert!(of(Some("2026-02-01"), Some("2026-02-01"), now).is_ok());
    }
}
