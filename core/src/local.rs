//! The clock on the wall in Morocco: an hour ahead of UTC, and on UTC during Ramadan. Days and hours of the business are
//! those of this clock; what is stored is UTC.
use chrono::{
    DateTime, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset as _,
    TimeZone as _, Utc,
};
use chrono_tz::Africa::Casablanca;

/// The day that it is at `time`.
#[must_use]
pub fn day_of(time: DateTime<Utc>) -> NaiveDate {
    time.with_timezone(&Casablanca).date_naive()
}

/// When `day` begins.
#[must_use]
pub fn start_of(day: NaiveDate) -> DateTime<Utc> {
    instant(day.and_time(NaiveTime::MIN))
}

/// When `day` begins, and when it ends.
#[must_use]
pub fn span_of(day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    (start_of(day), start_of(day + Days::new(1)))
}

/// The instant at which the clock shows `local`. A time that does not exist that night is read as before the change
/// (02:30 becomes 03:30); one that exists twice is the first of the two.
#[must_use]
pub fn instant(local: NaiveDateTime) -> DateTime<Utc> {
    match Casablanca.from_local_datetime(&local) {
        MappedLocalTime::Single(time) => time.to_utc(),
        MappedLocalTime::Ambiguous(first, second) => first.min(second).to_utc(),
        MappedLocalTime::None => {
            let before = Casablanca.offset_from_utc_datetime(&(local - Days::new(1))).fix();
            (local - before).and_utc()
        }
    }
}

/// The end of the part of the day between `from` and `to` (over midnight when `to` is earlier) that `now` falls into.
#[must_use]
pub fn end_of_span(from: NaiveTime, to: NaiveTime, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = now.with_timezone(&Casablanca).naive_local();
    let (day, time) = (local.date(), local.time());
    let inside = if from <= to { (from..to).contains(&time) } else { time >= from || time < to };
    let last_day = if from > to && time >= from { day + Days::new(1) } else { day };
    inside.then(|| instant(last_day.and_time(to)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_may_go_over_midnight() {
        let time = |text: &str| text.parse::<NaiveTime>().unwrap();
        let end = |from, to, now: &str| {
            let end = end_of_span(time(from), time(to), now.parse().unwrap());
            end.map(|end| end.to_rfc3339())
        };
        let morning = Some("2026-11-25T06:00:00+00:00".to_owned());
        assert_eq!(end("20:00:00", "07:00:00", "2026-11-24T19:00:00Z"), morning);
        assert_eq!(end("20:00:00", "07:00:00", "2026-11-25T05:59:59Z"), morning);
        assert_eq!(end("20:00:00", "07:00:00", "2026-11-25T06:00:00Z"), None);
        assert_eq!(end("05:00:00", "07:00:00", "2026-11-25T05:00:00Z"), morning);
        assert_eq!(end("07:00:00", "07:00:00", "2026-11-25T06:00:00Z"), None);
        // Ramadan begins on 7 February 2027: the clocks go back that night.
        assert_eq!(
            end("20:00:00", "07:00:00", "2027-02-06T23:00:00Z"),
            Some("2027-02-07T07:00:00+00:00".to_owned())
        );
    }
}
