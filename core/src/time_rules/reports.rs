//! Computes where a date moves when the rules change: it keeps its local day and hour. Pure functions.
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};

use crate::local::{Cron, END_OF_DAY, Zone};

/// The local time of one zone by two releases of the rules.
pub(super) struct Clocks {
    pub old: Zone,
    pub new: Zone,
}

impl Clocks {
    /// The instant whose local time by the new rules is that of `time` by the old ones.
    pub fn kept(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        self.new.instant(self.old.wall(time))
    }

    /// The next tick of a schedule whose next one was to be `next`. A schedule of fixed local hours is not run twice for the same
    /// hour, nor is one left out: if that hour has passed by the new rules, it is due at once. `None` if no date fits.
    pub fn tick(
        &self,
        cron: &Cron,
        last: Option<DateTime<Utc>>,
        next: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let second = TimeDelta::seconds(1);
        if cron.is_by_time() {
            return cron.next(now.min(next - second), &self.new);
        }
        let kept = self.kept(next);
        if cron.next(kept - second, &self.new) == Some(kept) {
            return Some(kept);
        }
        // The old rules left its hour out that day, or the new ones do.
        let around = kept - TimeDelta::hours(3);
        cron.next(last.map_or(around, |last| around.max(self.kept(last))), &self.new)
    }

    /// When a visit is due that was to be at `date`, and whose intended local hour is `hour`.
    pub fn visit(&self, date: DateTime<Utc>, hour: Option<NaiveTime>) -> DateTime<Utc> {
        let wall = self.old.wall(date);
        self.new.instant(wall.date().and_time(hour.unwrap_or(wall.time())))
    }

    /// The new instant of a deadline that means the end of a day; `None` for one that means an instant.
    pub fn deadline(&self, date: DateTime<Utc>) -> Option<DateTime<Utc>> {
        (self.old.wall(date).time() == END_OF_DAY).then(|| self.kept(date))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::testing::{INVENTED, RULES_2025B, RULES_2026C, rules, zoneinfo::Changes};

    fn clocks(old: Changes, new: Changes) -> Clocks {
        let zone = |changes| rules(changes).casablanca().clone();
        Clocks { old: zone(old), new: zone(new) }
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn tick(clocks: &Clocks, cron: &str, last: &str, next: &str, now: &str) -> String {
        let cron = Cron::parse(cron).unwrap();
        let next = clocks.tick(&cron, Some(time(last)), time(next), time(now)).unwrap();
        next.format("%m-%dT%H:%MZ").to_string()
    }

    #[test]
    fn a_schedule_of_an_hour_keeps_it_and_comes_once_a_day() {
        let september = clocks(RULES_2025B, RULES_2026C);
        let digest = "30 7 * * *";
        // 06:30Z was 07:30; now 07:30Z is.
        let (last, next) = ("2026-11-24T06:30:00Z", "2026-11-25T06:30:00Z");
        assert_eq!(tick(&september, digest, last, next, "2026-11-24T12:00:00Z"), "11-25T07:30Z");
        // Today's tick has run: 07:30Z of today is not another one.
        assert_eq!(tick(&september, digest, last, next, "2026-11-24T06:45:00Z"), "11-25T07:30Z");
        // Before the change of September nothing moves.
        let (last, next) = ("2026-08-24T06:30:00Z", "2026-08-25T06:30:00Z");
        assert_eq!(tick(&september, digest, last, next, "2026-08-24T12:00:00Z"), "08-25T06:30Z");
        // The clocks go forward: today's hour has passed, and is made up for.
        let forward = clocks(RULES_2026C, INVENTED);
        let (last, next) = ("2027-03-09T07:30:00Z", "2027-03-10T07:30:00Z");
        assert_eq!(tick(&forward, digest, last, next, "2027-03-10T06:00:00Z"), "03-10T05:30Z");
    }

    #[test]
    fn a_schedule_of_every_hour_goes_on_at_once() {
        let september = clocks(RULES_2025B, RULES_2026C);
        let (last, next) = ("2026-11-24T11:45:00Z", "2026-11-24T12:00:00Z");
        assert_eq!(
            tick(&september, "*/15 * * * *", last, next, "2026-11-24T11:50:00Z"),
            "11-24T12:00Z"
        );
        // It is still Sunday for an hour more.
        let (last, next) = ("2026-11-20T22:00:00Z", "2026-11-22T23:00:00Z");
        assert_eq!(
            tick(&september, "0 * * * MON-FRI", last, next, "2026-11-21T12:00:00Z"),
            "11-23T00:00Z"
        );
        // It is Monday an hour or two earlier.
        let forward = clocks(RULES_2026C, INVENTED);
        let (last, next) = ("2027-03-05T23:00:00Z", "2027-03-08T00:00:00Z");
        assert_eq!(
            tick(&forward, "0 * * * MON-FRI", last, next, "2027-03-06T12:00:00Z"),
            "03-07T22:00Z"
        );
    }

    #[test]
    fn a_tick_whose_hour_the_old_rules_left_out_gets_it_back() {
        // 14 March 2027: the old rules moved 02:30 to 03:30. By the new ones the clocks do not change.
        let september = clocks(RULES_2025B, RULES_2026C);
        let (last, next) = ("2027-03-13T02:30:00Z", "2027-03-14T02:30:00Z");
        assert_eq!(
            tick(&september, "30 2 * * *", last, next, "2027-03-13T12:00:00Z"),
            "03-14T02:30Z"
        );
    }

    #[test]
    fn a_visit_keeps_its_day_and_hour() {
        let september = clocks(RULES_2025B, RULES_2026C);
        let visit = |date, hour: &str| {
            september.visit(time(date), Some(hour.parse().unwrap())).to_rfc3339()
        };
        assert_eq!(visit("2026-12-01T08:00:00Z", "09:00:00"), "2026-12-01T09:00:00+00:00");
        // Half past midnight on the first.
        assert_eq!(visit("2026-11-30T23:30:00Z", "00:30:00"), "2026-12-01T00:30:00+00:00");
        assert_eq!(visit("2026-08-01T08:00:00Z", "09:00:00"), "2026-08-01T08:00:00+00:00");
        let unsaid = september.visit(time("2026-12-01T08:00:00Z"), None);
        assert_eq!(unsaid, time("2026-12-01T09:00:00Z"));
    }

    #[test]
    fn a_deadline_moves_when_it_is_the_end_of_a_day() {
        let september = clocks(RULES_2025B, RULES_2026C);
        assert_eq!(
            september.deadline(time("2026-11-30T22:59:59Z")),
            Some(time("2026-11-30T23:59:59Z"))
        );
        assert_eq!(september.deadline(time("2026-11-30T22:59:00Z")), None);
        assert_eq!(september.deadline(time("2026-11-30T00:00:00Z")), None);
    }
}
