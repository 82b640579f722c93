//! When people work: Monday to Friday except public holidays, 7:30 to 16:30 UTC (8:30 to 17:30 in Casablanca while it is an
//! hour ahead).

use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Utc, Weekday};

/// Minutes of the day, in UTC.
pub(super) const OPENS: i64 = 7 * 60 + 30;
pub(super) const CLOSES: i64 = 16 * 60 + 30;

/// Month and day of the holidays with a fixed date; those of the lunar calendar are left out.
const HOLIDAYS: [(u32, u32); 10] =
    [(1, 1), (1, 11), (1, 14), (5, 1), (7, 30), (8, 14), (8, 20), (8, 21), (11, 6), (11, 18)];

pub(super) fn is_workday(day: NaiveDate) -> bool {
    !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
        && !HOLIDAYS.contains(&(day.month(), day.day()))
}

/// The given minute of `day`, in UTC.
pub(super) fn at(day: NaiveDate, minute: i64) -> DateTime<Utc> {
    day.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::minutes(minute)
}

/// The `n`-th workday before `day`, which itself is not counted.
pub(super) fn workdays_before(day: NaiveDate, n: usize) -> NaiveDate {
    let workdays = (1..).map(|back| day - Days::new(back)).filter(|day| is_workday(*day));
    workdays.take(n).last().unwrap_or(day)
}

/// The `n`-th workday after `day`, which itself is not counted.
pub(super) fn workdays_after(day: NaiveDate, n: usize) -> NaiveDate {
    let workdays = (1..).map(|on| day + Days::new(on)).filter(|day| is_workday(*day));
    workdays.take(n).last().unwrap_or(day)
}

/// The time at which people have worked for so many minutes since `time`.
pub(super) fn after_work(time: DateTime<Utc>, minutes: i64) -> DateTime<Utc> {
    let mut day = time.date_naive();
    let mut minute = (time - at(day, 0)).num_minutes().max(OPENS);
    let mut left = minutes;
    loop {
        let room = if is_workday(day) { (CLOSES - minute).max(0) } else { 0 };
        if left <= room && room > 0 {
            return at(day, minute + left);
        }
        left -= room;
        day = workdays_after(day, 1);
        minute = OPENS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        format!("2026-{text}:00Z").parse().unwrap()
    }

    #[test]
    fn work_goes_on_the_next_workday() {
        // Thursday 5 November 2026; Friday is the Green March, then comes the weekend.
        assert_eq!(after_work(utc("11-05T10:00"), 60), utc("11-05T11:00"));
        assert_eq!(after_work(utc("11-05T16:00"), 30), utc("11-05T16:30"));
        assert_eq!(after_work(utc("11-05T16:00"), 90), utc("11-09T08:30"));
        assert_eq!(after_work(utc("11-07T03:00"), 15), utc("11-09T07:45"));
        assert_eq!(after_work(utc("11-09T05:00"), 15), utc("11-09T07:45"));
        assert_eq!(after_work(utc("11-09T20:00"), 15), utc("11-10T07:45"));
    }

    #[test]
    fn workdays_are_counted_without_the_day_itself() {
        let monday = utc("11-09T00:00").date_naive();
        assert_eq!(workdays_before(monday, 1), utc("11-05T00:00").date_naive());
        assert_eq!(workdays_after(utc("11-05T00:00").date_naive(), 1), monday);
        assert_eq!(workdays_before(monday, 0), monday);
    }
}
