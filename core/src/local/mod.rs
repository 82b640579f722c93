//! Local time in Morocco. Days and hours of the business are local; what is stored is UTC.
//!
//! All other code takes time zones from here. Their rules are those of [`rules`]: the newer of the system's copy and of the
//! copy in this program, and the same in every process of one database ([`crate::time_rules`]). By the release 2026f Morocco
//! has stayed on UTC since 20 September 2026 (<https://github.com/eggert/tz/blob/main/NEWS>); before that its clocks were an
//! hour ahead, except in Ramadan.
mod cron;
pub mod rules;
#[cfg(test)]
mod sql;
#[cfg(test)]
pub(crate) mod testing;

use chrono::{
    DateTime, Datelike as _, Days, FixedOffset, Months, NaiveDate, NaiveDateTime, NaiveTime,
    Timelike as _, Utc,
};
use jiff::{
    Timestamp, civil,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

pub use cron::Cron;
pub use rules::{Rules, Version, in_force};

/// The zone of the business.
pub const CASABLANCA: &str = "Africa/Casablanca";

/// The time of day of a deadline that is given as a day.
pub const END_OF_DAY: NaiveTime = NaiveTime::from_hms_opt(23, 59, 59).unwrap();

/// A time zone: what the clocks of one place show at an instant.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// Reads a file of the time zone database (RFC 9636); `None` when it is not one.
    fn from_tzif(name: &str, bytes: &[u8]) -> Option<Self> {
        TimeZone::tzif(name, bytes).ok().map(Self)
    }

    /// What the clock shows at `time`.
    #[must_use]
    pub fn wall(&self, time: DateTime<Utc>) -> NaiveDateTime {
        time.naive_utc() + self.offset(time)
    }

    /// The instant at which the clock shows `wall`. This is the only rule for clock changes: a time that the clock leaves out
    /// is read with the offset before the change (02:30 becomes 03:30); of a time that the clock shows twice, the first is
    /// meant. (The rule of RFC 5545, 3.3.5.)
    #[must_use]
    pub fn instant(&self, wall: NaiveDateTime) -> DateTime<Utc> {
        let (AmbiguousOffset::Unambiguous { offset }
        | AmbiguousOffset::Gap { before: offset, .. }
        | AmbiguousOffset::Fold { before: offset, .. }) =
            self.0.to_ambiguous_timestamp(civil_of(wall)).offset();
        (wall - fixed(offset)).and_utc()
    }

    /// How far the clock is ahead of UTC at `time`.
    #[must_use]
    pub fn offset(&self, time: DateTime<Utc>) -> FixedOffset {
        fixed(self.0.to_offset(timestamp_of(time)))
    }

    /// The next change of the offset after `time`, if there is one.
    #[must_use]
    pub fn next_change(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let now = self.offset(time);
        let change = self.0.following(timestamp_of(time)).find(|c| fixed(c.offset()) != now)?;
        DateTime::from_timestamp(change.timestamp().as_second(), 0)
    }
}

fn fixed(offset: Offset) -> FixedOffset {
    // No zone of the database has an offset of a day or more.
    FixedOffset::east_opt(offset.seconds()).unwrap_or(FixedOffset::east_opt(0).expect("UTC"))
}

/// Beyond the years that `jiff` covers, the first or the last of them applies.
fn timestamp_of(time: DateTime<Utc>) -> Timestamp {
    let far = if time.timestamp() < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_second(time.timestamp()).unwrap_or(far)
}

fn civil_of(wall: NaiveDateTime) -> civil::DateTime {
    let small = |n: u32| i8::try_from(n).unwrap_or_default();
    let far = if wall.year() < 0 { civil::DateTime::MIN } else { civil::DateTime::MAX };
    let Ok(year) = i16::try_from(wall.year()) else { return far };
    civil::DateTime::new(
        year,
        small(wall.month()),
        small(wall.day()),
        small(wall.hour()),
        small(wall.minute()),
        small(wall.second()),
        0,
    )
    .unwrap_or(far)
}

/// The zone of this name by the rules in force; `None` when there is no such zone.
#[must_use]
pub fn zone(name: &str) -> Option<Zone> {
    in_force().zone(name)
}

/// What the clock in Morocco shows at `time`.
#[must_use]
pub fn wall(time: DateTime<Utc>) -> NaiveDateTime {
    in_force().casablanca().wall(time)
}

/// The instant at which the clock in Morocco shows `wall`: see [`Zone::instant`].
#[must_use]
pub fn instant(wall: NaiveDateTime) -> DateTime<Utc> {
    in_force().casablanca().instant(wall)
}

/// The local day at `time`.
#[must_use]
pub fn day_of(time: DateTime<Utc>) -> NaiveDate {
    wall(time).date()
}

/// When the local day `day` begins.
#[must_use]
pub fn start_of(day: NaiveDate) -> DateTime<Utc> {
    instant(day.and_time(NaiveTime::MIN))
}

/// When the local day `day` begins, and when it ends.
#[must_use]
pub fn span_of(day: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    (start_of(day), start_of(day + Days::new(1)))
}

/// The first days of the `count` months up to and including that of `time`, and of the month after it: `count + 1` days.
#[must_use]
pub fn months_until(time: DateTime<Utc>, count: u32) -> Vec<NaiveDate> {
    let day = day_of(time);
    let first = day - Days::new(u64::from(day.day0()));
    let begin = first - Months::new(count.saturating_sub(1));
    (0..=count).map(|n| begin + Months::new(n)).collect()
}

/// The end of the daily span from `from` to `to` (over midnight when `to` is earlier) that `now` is in; `None` when `now` is
/// outside it.
#[must_use]
pub fn end_of_span(from: NaiveTime, to: NaiveTime, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let local = wall(now);
    let (day, time) = (local.date(), local.time());
    let inside = if from <= to { (from..to).contains(&time) } else { time >= from || time < to };
    let last_day = if from > to && time >= from { day + Days::new(1) } else { day };
    inside.then(|| instant(last_day.and_time(to)))
}

#[cfg(test)]
mod tests {
    use super::{testing::RULES_2025B, *};

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_span_may_go_over_midnight() {
        let _rules = testing::use_rules(RULES_2025B);
        let hour = |text: &str| text.parse::<NaiveTime>().unwrap();
        let end = |from, to, now: &str| {
            let end = end_of_span(hour(from), hour(to), time(now));
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

    #[test]
    fn morocco_has_stayed_on_utc_since_20_september_2026() {
        // By the rules that this program chooses: its own copy is new enough.
        let rules = rules::own();
        assert!(rules.version >= Version::parse("2026c").unwrap(), "{}", rules.version);
        let wall = |at: &str| rules.casablanca().wall(time(at)).to_string();
        assert_eq!(wall("2026-09-20T00:59:59Z"), "2026-09-20 01:59:59");
        assert_eq!(wall("2026-09-20T01:00:00Z"), "2026-09-20 01:00:00");
        assert_eq!(wall("2026-11-24T08:30:00Z"), "2026-11-24 08:30:00");
        assert_eq!(wall("2026-03-01T09:00:00Z"), "2026-03-01 09:00:00", "Ramadan");
    }

    #[test]
    fn one_rule_says_what_gaps_and_repeats_are() {
        let rules = testing::rules(RULES_2025B);
        let at = |wall: &str| rules.casablanca().instant(wall.parse().unwrap()).to_rfc3339();
        // 22 March 2026: 02:00 is 03:00. 15 February 2026: 03:00 is 02:00 again.
        assert_eq!(at("2026-03-22T01:59:59"), "2026-03-22T01:59:59+00:00");
        assert_eq!(at("2026-03-22T02:30:00"), "2026-03-22T02:30:00+00:00");
        assert_eq!(at("2026-03-22T03:00:00"), "2026-03-22T02:00:00+00:00");
        assert_eq!(at("2026-02-15T02:30:00"), "2026-02-15T01:30:00+00:00");
        let next = |text| rules.casablanca().next_change(time(text)).unwrap().to_rfc3339();
        assert_eq!(next("2026-02-15T01:59:59Z"), "2026-02-15T02:00:00+00:00");
        assert_eq!(next("2026-02-15T02:00:00Z"), "2026-03-22T02:00:00+00:00");
    }

    #[test]
    fn far_years_and_leap_seconds_have_an_hour_too() {
        for far in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let _ = in_force().casablanca().offset(far);
        }
        let last = "9999-12-31T23:59:60.5Z".parse().unwrap();
        assert_eq!(instant(wall(last)), last);
    }

    #[test]
    fn months_begin_on_their_first() {
        let _rules = testing::use_rules(RULES_2025B);
        let days = months_until(time("2026-12-31T23:40:00Z"), 3);
        let text: Vec<_> = days.iter().map(ToString::to_string).collect();
        assert_eq!(text, ["2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01"]);
    }
}
