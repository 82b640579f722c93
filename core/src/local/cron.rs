//! When a schedule comes due next: cron expressions in a time zone, with its clock changes.
use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};

use super::Zone;

/// The names of the days, as cron numbers them: 0 and 7 are Sunday.
const DAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/// A checked cron expression of 5 fields (minute, hour, day of month, month, day of week), or of 6 with seconds before
/// them. A tick needs all fields to agree, the day of the month and the day of the week too.
#[derive(Debug, Clone)]
pub struct Cron {
    schedule: cron::Schedule,
    /// Whether the hour is `*`: the schedule goes by elapsed time, and clock changes do not affect it.
    every_hour: bool,
}

impl Cron {
    /// Reads `text`. The error is a technical text, which is not translated.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut fields: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        if fields.len() == 5 {
            fields.insert(0, "0".to_owned());
        }
        let [_, _, hour, _, _, day] = fields.as_mut_slice() else {
            return Err(format!("{} fields, not 5 or 6", fields.len()));
        };
        let every_hour = hour == "*";
        // The crate numbers days from Sunday = 1, other crons from Sunday = 0.
        *day = named_days(day)?;
        let schedule = cron::Schedule::from_str(&fields.join(" ")).map_err(|e| e.to_string())?;
        Ok(Self { schedule, every_hour })
    }

    /// The first tick later than `after`, by the clocks of `zone`. For clock changes the rule of [`Zone::instant`] applies: a
    /// tick whose time is left out comes later by as much, and one whose time is shown twice comes the first time. `None`:
    /// there are no more ticks (a 30 February).
    #[must_use]
    pub fn next(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        if self.every_hour {
            return self.next_by_time(after, zone);
        }
        // A tick whose time is left out comes at a later wall time than the expression says, so the search begins earlier.
        let from = (zone.wall(after) - TimeDelta::hours(3)).and_utc();
        let mut next: Option<DateTime<Utc>> = None;
        for dial in self.schedule.after(&from).take(100_000) {
            // Around a clock change, a later wall time may be an earlier instant.
            if next.is_some_and(|next| dial.naive_utc() > zone.wall(next)) {
                break;
            }
            let tick = zone.instant(dial.naive_utc());
            if tick > after && next.is_none_or(|next| tick < next) {
                next = Some(tick);
            }
        }
        next
    }

    /// The same for a schedule that goes by elapsed time: between two clock changes it is computed with one offset, and days
    /// are those of the offset in force.
    fn next_by_time(&self, after: DateTime<Utc>, zone: &Zone) -> Option<DateTime<Utc>> {
        let mut from = after;
        loop {
            let begin = from + TimeDelta::seconds(1);
            let offset = zone.offset(begin);
            let tick = self.schedule.after(&from.with_timezone(&offset)).next()?.to_utc();
            match zone.next_change(begin) {
                Some(change) if change <= tick => from = change - TimeDelta::seconds(1),
                _ => return Some(tick),
            }
        }
    }

    /// Whether the schedule goes by elapsed time, and not by the hour that the clock shows.
    #[must_use]
    pub fn is_by_time(&self) -> bool {
        self.every_hour
    }
}

/// The numbers in a day-of-week field as names, with ranges spelled out day by day.
fn named_days(field: &str) -> Result<String, String> {
    let parts: Result<Vec<String>, String> = field.split(',').map(named_part).collect();
    Ok(parts?.join(","))
}

fn named_part(part: &str) -> Result<String, String> {
    let (range, step) = part.split_once('/').unwrap_or((part, "1"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (Ok(first), Ok(last)) = (first.parse::<usize>(), last.parse::<usize>()) else {
        return Ok(part.to_owned());
    };
    let last = if part.contains('/') && !range.contains('-') { 6 } else { last };
    let step = step.parse::<usize>().ok().filter(|step| *step > 0);
    let (Some(step), true) = (step, first <= last && last < DAYS.len()) else {
        return Err(format!("day of week {part:?}: 0 to 7 are the days, 0 and 7 Sunday"));
    };
    Ok((first..=last).step_by(step).map(|day| DAYS[day]).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::testing::{self, RULES_2025B};

    const CASABLANCA: &str = crate::local::CASABLANCA;
    const PARIS: &str = "Europe/Paris";

    /// By the rules of 2025b, which has the changes of Ramadan.
    fn ticks(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let (cron, zone) =
            (Cron::parse(cron).unwrap(), testing::rules(RULES_2025B).zone(zone).unwrap());
        let mut now: DateTime<Utc> = after.parse().unwrap();
        let mut next = || {
            now = cron.next(now, &zone)?;
            Some(zone.wall(now).format("%m-%d %H:%M:%S").to_string())
        };
        (0..count).map_while(|_| next()).collect()
    }

    #[test]
    fn five_fields_are_those_of_every_cron() {
        assert_eq!(
            ticks("30 7 * * 1-5", CASABLANCA, "2026-11-20T12:00:00Z", 3),
            ["11-23 07:30:00", "11-24 07:30:00", "11-25 07:30:00"],
            "1 is Monday"
        );
        assert_eq!(ticks("0 3 * * 0,7", CASABLANCA, "2026-11-20T12:00:00Z", 1), ["11-22 03:00:00"]);
        assert_eq!(
            ticks("*/15 * * * *", CASABLANCA, "2026-11-24T05:59:59Z", 2),
            ["11-24 07:00:00", "11-24 07:15:00"],
            "the clocks of Casablanca are an hour ahead"
        );
        assert_eq!(
            ticks("* * * * * *", CASABLANCA, "2026-11-24T05:59:59Z", 2),
            ["11-24 07:00:00", "11-24 07:00:01"]
        );
    }

    #[test]
    fn what_is_no_cron_is_refused() {
        for bad in [
            "",
            "* * * *",
            "61 * * * *",
            "* * * * 8",
            "* * * * 5-2",
            "a b c d e",
            "* * * * * * *",
            "*/0 * * * 1/0",
        ] {
            assert!(Cron::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(
            ticks("0 0 30 2 *", CASABLANCA, "2026-01-01T00:00:00Z", 1),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_time_that_the_clock_leaves_out_comes_as_much_later() {
        // PARIS, 28 March 2027: 02:00 is 03:00.
        assert_eq!(
            ticks("30 2 * * *", PARIS, "2027-03-26T12:00:00Z", 3),
            ["03-27 02:30:00", "03-28 03:30:00", "03-29 02:30:00"]
        );
        // Casablanca after Ramadan, 14 March 2027: 02:00 is 03:00.
        assert_eq!(
            ticks("30 2 * * *", CASABLANCA, "2027-03-13T12:00:00Z", 2),
            ["03-14 03:30:00", "03-15 02:30:00"]
        );
    }

    #[test]
    fn what_is_left_out_and_what_is_shown_then_are_one_tick() {
        // Paris, 28 March 2027: 02:20 is 03:20, which comes once, and 03:40 after it.
        assert_eq!(
            ticks("20,40 2,3 * * *", PARIS, "2027-03-28T00:30:00Z", 3),
            ["03-28 03:20:00", "03-28 03:40:00", "03-29 02:20:00"]
        );
    }

    #[test]
    fn a_time_that_the_clock_brings_twice_comes_once() {
        // PARIS, 25 October 2026: 03:00 is 02:00 again. Casablanca before Ramadan, 7 February 2027: likewise.
        assert_eq!(
            ticks("30 2 * * *", PARIS, "2026-10-24T12:00:00Z", 2),
            ["10-25 02:30:00", "10-26 02:30:00"]
        );
        assert_eq!(
            ticks("30 2 * * *", CASABLANCA, "2027-02-06T12:00:00Z", 2),
            ["02-07 02:30:00", "02-08 02:30:00"]
        );
    }

    #[test]
    fn what_comes_every_hour_of_some_days_begins_with_the_day() {
        // Casablanca, Sunday 14 March 2027: the clocks go forward between Friday and Monday.
        assert_eq!(
            ticks("0 * * * MON-FRI", CASABLANCA, "2027-03-12T23:00:00Z", 2),
            ["03-15 00:00:00", "03-15 01:00:00"]
        );
        assert_eq!(
            ticks("0 * 1 * *", PARIS, "2027-03-01T22:30:00Z", 2),
            ["04-01 00:00:00", "04-01 01:00:00"]
        );
        // PARIS, 28 March 2027: that day has no 02:00.
        assert_eq!(
            ticks("0 * * * SUN", PARIS, "2027-03-27T12:00:00Z", 4),
            ["03-28 00:00:00", "03-28 01:00:00", "03-28 03:00:00", "03-28 04:00:00"]
        );
    }

    #[test]
    fn what_comes_every_hour_goes_by_the_passing_of_time() {
        let rules = testing::rules(RULES_2025B);
        for (cron, minutes) in [("0 * * * *", 60), ("*/15 * * * *", 15)] {
            let cron = Cron::parse(cron).unwrap();
            for day in ["2026-10-24", "2027-02-06", "2027-03-13", "2027-03-27"] {
                let mut now: DateTime<Utc> = format!("{day}T12:00:00Z").parse().unwrap();
                for zone in [CASABLANCA, PARIS] {
                    let zone = rules.zone(zone).unwrap();
                    for _ in 0..(48 * 60 / minutes) {
                        let next = cron.next(now, &zone).unwrap();
                        assert_eq!((next - now).num_minutes(), minutes, "{now} {zone:?}");
                        now = next;
                    }
                }
            }
        }
    }
}
