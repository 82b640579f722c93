//! Computes when a visit is due again. Pure calendar arithmetic in the zone of the business: a day, a week or a number of
//! months later in the local calendar, at the same local hour.
//!
//! * In a month without the day, the visit is on the last one, and returns to its day in the next month that has it (31 January,
//!   28 February, 31 March).
//! * When Morocco changes its clocks the local hour is kept, so the hour in UTC moves. [`crate::local`] says how an hour is read
//!   that does not exist that night, or exists twice. The visit after it returns to its own hour.
use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, NaiveTime, Utc};

use super::FrequencePlanning;
use crate::local::{END_OF_DAY, day_of, instant, wall};

/// How far one visit is from the next.
enum Step {
    Days(u64),
    Months(u32),
}

impl FrequencePlanning {
    fn step(self) -> Step {
        match self {
            Self::Journalier => Step::Days(1),
            Self::Hebdomadaire => Step::Days(7),
            Self::Mensuel => Step::Months(1),
            Self::Trimestriel => Step::Months(3),
            Self::Semestriel => Step::Months(6),
            Self::Annuel => Step::Months(12),
        }
    }

    /// Within how many days of its due date a visit complies, for the indicators: a tenth of the period, and at least one.
    pub(crate) fn conformite_jours(self) -> i32 {
        i32::try_from(self.tolerance_jours().max(1)).unwrap_or(1)
    }

    /// A tenth of the period, in days.
    fn tolerance_jours(self) -> u64 {
        match self {
            Self::Journalier => 0,
            Self::Hebdomadaire => 1,
            Self::Mensuel => 3,
            Self::Trimestriel => 9,
            Self::Semestriel => 18,
            Self::Annuel => 36,
        }
    }
}

/// When a visit is due, and the day and hour that later visits return to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echeance {
    pub date: DateTime<Utc>,
    /// The intended day of the month, 1..=31; this month may not have it.
    pub jour: u32,
    /// The intended local hour; this day may not have it.
    pub heure: NaiveTime,
}

impl Echeance {
    /// A visit that is intended for `date`, to the microsecond.
    #[must_use]
    pub fn at(date: DateTime<Utc>) -> Self {
        // As Postgres stores it: without nanoseconds; a leap second is the first second of the next minute.
        let date = DateTime::from_timestamp_micros(date.timestamp_micros()).unwrap_or(date);
        let local = wall(date);
        Self { date, jour: local.day(), heure: local.time() }
    }

    /// The visit one period later.
    #[must_use]
    pub fn next(self, frequence: FrequencePlanning) -> Self {
        let (day, jour) = match frequence.step() {
            Step::Days(n) => {
                let day = self.day() + Days::new(n);
                (day, day.day())
            }
            Step::Months(n) => (with_day(self.day() + Months::new(n), self.jour), self.jour),
        };
        Self { date: instant(day.and_time(self.heure)), jour, heure: self.heure }
    }

    /// The same visit moved to `date`, whose day and hour the next ones return to. Within its own day only the hour changes: a
    /// visit of the 31st that falls on 28 February stays one of the 31st.
    #[must_use]
    pub fn moved_to(self, date: DateTime<Utc>) -> Self {
        let new = Self::at(date);
        if new.date == self.date {
            self
        } else if new.day() == self.day() {
            Self { jour: self.jour, ..new }
        } else {
            new
        }
    }

    /// The visit after this one, which is held at `now`. Missed visits are not made up for: if a whole period was missed, the
    /// visit of now stands for all of them, and the next one is after today.
    #[must_use]
    pub fn after_visit(self, frequence: FrequencePlanning, now: DateTime<Utc>) -> Self {
        let mut next = self.next(frequence);
        if next.date <= now {
            while next.day() <= day_of(now) {
                next = next.next(frequence);
            }
        }
        next
    }

    /// The deadline of a visit that is due at this time, and opened at `now`: the end of the later of the two local days, and a
    /// tenth of the period more. (The ten-percent rule of preventive maintenance: a visit within a tenth of its interval
    /// complies.)
    #[must_use]
    pub fn limite(self, frequence: FrequencePlanning, now: DateTime<Utc>) -> DateTime<Utc> {
        let day = self.day().max(day_of(now)) + Days::new(frequence.tolerance_jours());
        instant(day.and_time(END_OF_DAY))
    }

    /// The local day on which it is due.
    fn day(self) -> NaiveDate {
        day_of(self.date)
    }
}

/// Day `jour` of the month of `date`, or its last day.
fn with_day(date: NaiveDate, jour: u32) -> NaiveDate {
    (1..=jour).rev().find_map(|jour| date.with_day(jour)).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDateTime;

    use FrequencePlanning::{Annuel, Hebdomadaire, Journalier, Mensuel, Semestriel, Trimestriel};

    use super::*;
    use crate::local::testing::{RULES_2025B, RULES_2026C, use_rules};

    const ALL: [FrequencePlanning; 6] = FrequencePlanning::ALL;

    /// A visit at this local time, which must exist.
    fn visit(local: &str) -> Echeance {
        Echeance::at(instant(local.parse().unwrap()))
    }

    fn local(echeance: Echeance) -> NaiveDateTime {
        wall(echeance.date)
    }

    /// The local times of `n` visits after `from`.
    fn after(from: Echeance, frequence: FrequencePlanning, n: usize) -> Vec<String> {
        let visits = std::iter::successors(Some(from), |e| Some(e.next(frequence)));
        visits.skip(1).take(n).map(|e| local(e).format("%F %R").to_string()).collect()
    }

    fn last_day(date: NaiveDate) -> u32 {
        with_day(date, 31).day()
    }

    #[test]
    fn the_31st_comes_back_after_each_shorter_month() {
        let _rules = use_rules(RULES_2025B);
        assert_eq!(
            after(visit("2027-01-31T09:00:00"), Mensuel, 4),
            ["2027-02-28 09:00", "2027-03-31 09:00", "2027-04-30 09:00", "2027-05-31 09:00"]
        );
        assert_eq!(after(visit("2028-01-31T09:00:00"), Mensuel, 1), ["2028-02-29 09:00"]);
        assert_eq!(
            after(visit("2026-11-30T09:00:00"), Trimestriel, 2),
            ["2027-02-28 09:00", "2027-05-30 09:00"]
        );
        assert_eq!(
            after(visit("2026-08-31T09:00:00"), Semestriel, 2),
            ["2027-02-28 09:00", "2027-08-31 09:00"]
        );
    }

    #[test]
    fn the_29th_of_february_comes_back_every_four_years() {
        let _rules = use_rules(RULES_2025B);
        assert_eq!(
            after(visit("2024-02-29T09:00:00"), Annuel, 4),
            ["2025-02-28 09:00", "2026-02-28 09:00", "2027-02-28 09:00", "2028-02-29 09:00"]
        );
    }

    #[test]
    fn the_day_is_that_of_morocco() {
        let _rules = use_rules(RULES_2025B);
        // In Casablanca it is 00:30 on 1 February.
        let visit = Echeance::at("2027-01-31T23:30:00Z".parse().unwrap());
        assert_eq!(after(visit, Mensuel, 1), ["2027-03-01 00:30"]);
    }

    #[test]
    fn ramadan_moves_the_hour_in_utc_and_not_on_the_wall() {
        let _rules = use_rules(RULES_2025B);
        // Ramadan 2026: the clocks change on 15 February and on 22 March.
        let before = visit("2026-02-14T09:00:00");
        assert_eq!(before.date.to_rfc3339(), "2026-02-14T08:00:00+00:00");
        assert_eq!(before.next(Journalier).date.to_rfc3339(), "2026-02-15T09:00:00+00:00");
        let later = before.next(Mensuel);
        assert_eq!(later.date.to_rfc3339(), "2026-03-14T09:00:00+00:00");
        assert_eq!(later.next(Mensuel).date.to_rfc3339(), "2026-04-14T08:00:00+00:00");
    }

    #[test]
    fn over_20_september_2026_the_hour_on_the_wall_stays() {
        let _rules = use_rules(RULES_2026C);
        let mut visit = visit("2026-09-18T09:00:00");
        let mut dates = Vec::new();
        for _ in 0..4 {
            dates.push(visit.date.format("%dT%H:%MZ").to_string());
            visit = visit.next(Journalier);
        }
        assert_eq!(dates, ["18T08:00Z", "19T08:00Z", "20T09:00Z", "21T09:00Z"]);
        let friday = instant("2026-09-18T12:00:00".parse().unwrap());
        assert_eq!(visit.limite(Journalier, friday).to_rfc3339(), "2026-09-22T23:59:59+00:00");
    }

    #[test]
    fn an_hour_that_does_not_exist_is_read_as_before_the_change_and_comes_back_the_next_day() {
        let _rules = use_rules(RULES_2025B);
        let visit = visit("2026-03-21T02:30:00");
        assert_eq!(after(visit, Journalier, 2), ["2026-03-22 03:30", "2026-03-23 02:30"]);
        assert_eq!(visit.next(Journalier).date.to_rfc3339(), "2026-03-22T02:30:00+00:00");
    }

    #[test]
    fn of_an_hour_that_exists_twice_the_first_is_meant() {
        let _rules = use_rules(RULES_2025B);
        let visit = visit("2026-02-14T02:30:00");
        assert_eq!(visit.next(Journalier).date.to_rfc3339(), "2026-02-15T01:30:00+00:00");
        assert_eq!(after(visit, Journalier, 2), ["2026-02-15 02:30", "2026-02-16 02:30"]);
    }

    #[test]
    fn a_visit_moved_within_its_day_keeps_its_day_of_the_month() {
        let _rules = use_rules(RULES_2025B);
        let february = visit("2027-01-31T09:00:00").next(Mensuel);
        let later = february.moved_to(visit("2027-02-28T15:00:00").date);
        assert_eq!(after(later, Mensuel, 1), ["2027-03-31 15:00"]);
        let earlier = february.moved_to(visit("2027-02-26T09:00:00").date);
        assert_eq!(after(earlier, Mensuel, 1), ["2027-03-26 09:00"]);
        assert_eq!(february.moved_to(february.date), february);
    }

    /// The local time of the visit after one that was due at `due` and is held at `now`.
    fn held(due: &str, frequence: FrequencePlanning, now: &str) -> String {
        let next = visit(due).after_visit(frequence, visit(now).date);
        local(next).format("%F %R").to_string()
    }

    #[test]
    fn a_visit_that_was_missed_once_is_made_up_for_and_ten_are_one() {
        let _rules = use_rules(RULES_2025B);
        // In time: one period later, even at the end of the same day.
        assert_eq!(
            held("2026-11-24T23:30:00", Journalier, "2026-11-25T00:00:00"),
            "2026-11-25 23:30"
        );
        assert_eq!(held("2026-11-24T09:00:00", Mensuel, "2026-11-24T10:00:00"), "2026-12-24 09:00");
        // Ten days late: the next visit is not today.
        assert_eq!(
            held("2026-11-14T09:00:00", Journalier, "2026-11-24T08:00:00"),
            "2026-11-25 09:00"
        );
        assert_eq!(held("2026-01-31T09:00:00", Mensuel, "2026-11-24T10:00:00"), "2026-11-30 09:00");
        assert_eq!(held("2020-02-29T09:00:00", Annuel, "2027-06-01T00:00:00"), "2028-02-29 09:00");
    }

    #[test]
    fn a_visit_may_be_late_by_a_tenth_of_its_period() {
        let _rules = use_rules(RULES_2025B);
        let limite = |frequence, due: &str, now: &str| {
            let limite = visit(due).limite(frequence, visit(now).date);
            wall(limite).format("%F %T").to_string()
        };
        let day = "2026-11-24T09:00:00";
        assert_eq!(limite(Journalier, day, day), "2026-11-24 23:59:59");
        assert_eq!(limite(Hebdomadaire, day, day), "2026-11-25 23:59:59");
        assert_eq!(limite(Mensuel, day, day), "2026-11-27 23:59:59");
        assert_eq!(limite(Annuel, day, day), "2026-12-30 23:59:59");
        assert_eq!(limite(Mensuel, "2026-01-24T09:00:00", day), "2026-11-27 23:59:59");
    }

    #[test]
    fn a_leap_second_is_the_first_of_the_next_minute() {
        let _rules = use_rules(RULES_2025B);
        let visit = Echeance::at("2016-12-31T23:59:60.5Z".parse().unwrap());
        assert_eq!(visit.date.to_rfc3339(), "2017-01-01T00:00:00.500+00:00");
        assert_eq!(local(visit).time(), visit.heure);
    }

    /// Every day of 13 years at hours on both sides of all changes of the clocks, at every frequency: the day is that of the
    /// calendar, the local hour is kept wherever it exists, and each visit is later than the one before.
    #[test]
    fn over_the_years_days_and_hours_stay_what_they_are_meant_to_be() {
        let _rules = use_rules(RULES_2025B);
        let hours = [(0, 0), (1, 59), (2, 0), (2, 30), (3, 0), (9, 15), (23, 59)];
        let hours = hours.map(|(h, m)| NaiveTime::from_hms_opt(h, m, 0).unwrap());
        let begin = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
        let mut moved = 0;
        for day in begin.iter_days().take_while(|day| day.year() < 2036) {
            for heure in hours {
                let visit = Echeance::at(instant(day.and_time(heure)));
                assert_eq!(local(visit).date(), day);
                let visit = Echeance { heure, ..visit };
                for frequence in ALL {
                    let next = visit.next(frequence);
                    assert!(next.date > visit.date, "{visit:?} {frequence:?}");
                    let next_day = local(next).date();
                    match frequence.step() {
                        Step::Days(n) => assert_eq!(next_day, day + Days::new(n)),
                        Step::Months(n) => {
                            let month =
                                |d: NaiveDate| d.year() * 12 + i32::try_from(d.month0()).unwrap();
                            assert_eq!(month(next_day), month(day) + i32::try_from(n).unwrap());
                            assert_eq!(next_day.day(), day.day().min(last_day(next_day)));
                            assert_eq!(next.jour, day.day());
                        }
                    }
                    assert_eq!(next.heure, heure);
                    if local(next).time() != heure {
                        assert_eq!(local(next).time() - heure, chrono::TimeDelta::hours(1));
                        let missing = next_day.and_time(heure);
                        assert_ne!(wall(instant(missing)), missing);
                        moved += 1;
                    }
                }
            }
        }
        assert!(moved > 0, "no missing hour was met");
    }

    /// Twelve months are a year and three months a quarter, whatever the day they start from.
    #[test]
    fn many_short_periods_are_one_long_period() {
        let _rules = use_rules(RULES_2025B);
        let begin = NaiveDate::from_ymd_opt(2023, 1, 1).unwrap();
        let hour = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
        for day in begin.iter_days().take(4 * 366) {
            let visit = Echeance::at(instant(day.and_time(hour)));
            let times = |frequence, n: usize| {
                std::iter::successors(Some(visit), |e| Some(e.next(frequence))).nth(n)
            };
            assert_eq!(times(Mensuel, 3), times(Trimestriel, 1), "{day}");
            assert_eq!(times(Mensuel, 6), times(Semestriel, 1), "{day}");
            assert_eq!(times(Mensuel, 12), times(Annuel, 1), "{day}");
            assert_eq!(times(Mensuel, 48), times(Annuel, 4), "{day}");
            assert_eq!(times(Journalier, 7), times(Hebdomadaire, 1), "{day}");
        }
    }
}
