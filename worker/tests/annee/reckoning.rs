//! Calculates how many visits, alerts and digests there must be, by counting days on a calendar.
use std::cell::Cell;

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use erp_dev::zoneinfo::{Changes, RULES_2025B, RULES_2026C, minutes_ahead};

use crate::plant::{INTERVENTIONS, ONE_IN, Planned, Rest, Script};

/// How many of each there were.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub visits: usize,
    pub reminders_of_visits: usize,
    pub reminders_of_deadlines: usize,
    pub late: usize,
    /// To responsables, by level.
    pub unassigned: [usize; 3],
    /// The same to the admin.
    pub unassigned_admin: [usize; 3],
    pub digests: usize,
}

/// People in charge; each is notified of everything.
const RESPONSABLES: usize = 2;

impl Counts {
    pub fn lines(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("visits opened", self.visits),
            ("notifications: a visit tomorrow", self.reminders_of_visits),
            ("notifications: a deadline tomorrow", self.reminders_of_deadlines),
            ("notifications: a deadline passed", self.late),
            ("notifications: nobody, level 1", self.unassigned[0]),
            ("notifications: nobody, level 2", self.unassigned[1]),
            ("notifications: nobody, level 3", self.unassigned[2]),
            ("the same to the admin, level 1", self.unassigned_admin[0]),
            ("the same to the admin, level 2", self.unassigned_admin[1]),
            ("the same to the admin, level 3", self.unassigned_admin[2]),
            ("digests that arrived", self.digests),
        ]
    }

    /// Whether this line may be 0: admins are notified from the second level on.
    pub fn may_be_zero(&self, name: &str) -> bool {
        name == self.lines()[7].0
    }

    /// The notifications that go out by mail: a deadline of tomorrow is not mailed to responsables.
    pub fn mailed_notifications(&self) -> usize {
        let levels = self.unassigned.iter().chain(&self.unassigned_admin).sum::<usize>();
        self.reminders_of_visits + self.late + levels
    }
}

pub fn counts(script: &Script, from: DateTime<Utc>, to: DateTime<Utc>) -> Counts {
    let mut counts = Counts::default();
    for planned in &script.plannings {
        count_planning(&mut counts, planned, from, to);
    }
    for (index, (target, assigned)) in script.interventions.iter().enumerate() {
        assert!(index < INTERVENTIONS);
        let Some(target) = target else { continue };
        for (level, times) in [1, 2, 4].into_iter().enumerate() {
            let told = next_multiple(from + *target * times, 5);
            if told < to && assigned.is_none_or(|assigned| told < assigned) {
                counts.unassigned[level] += RESPONSABLES;
                counts.unassigned_admin[level] += usize::from(level > 0);
            }
        }
    }
    for day in days(from, to) {
        let tick = at(day, 7, 30);
        let weekend = matches!(day.weekday(), Weekday::Sat | Weekday::Sun);
        if !weekend && tick > from && tick < to {
            counts.digests += RESPONSABLES;
        }
    }
    counts
}

fn count_planning(counts: &mut Counts, planned: &Planned, from: DateTime<Utc>, to: DateTime<Utc>) {
    let mut dates = dates(planned, from, to);
    if planned.rest == Rest::Always {
        return;
    }
    let mut made_up_for = 0;
    if let Rest::Until(end) = planned.rest {
        // The visits missed meanwhile become one visit, of the first date; the next one is after that day.
        let missed = dates.iter().filter(|date| **date <= end).count();
        if missed > 0 {
            let first = dates[0];
            dates.drain(..missed);
            let opened = next_multiple(end, 60);
            dates.retain(|date| day(*date) > day(opened) || missed == 1);
            visit(counts, planned, first, opened, 0, to);
            made_up_for = 1;
        }
    }
    for (index, &date) in dates.iter().enumerate() {
        remind(counts, planned, date, from, to);
        let opened = next_multiple(date, 60);
        visit(counts, planned, date, opened, index + made_up_for, to);
    }
}

/// Counts the visit of `date`, opened at `opened`; every [`ONE_IN`]-th is left open until it is three days late.
fn visit(
    counts: &mut Counts,
    planned: &Planned,
    date: DateTime<Utc>,
    opened: DateTime<Utc>,
    index: usize,
    to: DateTime<Utc>,
) {
    if opened >= to {
        return;
    }
    counts.visits += 1;
    if !(planned.index + index).is_multiple_of(ONE_IN) {
        return;
    }
    let last_day = day(date).max(day(opened)) + Days::new(planned.tolerance);
    // Notified at the first quarter of an hour after the last second of that day.
    if at(last_day + Days::new(1), 0, 0) < to {
        counts.late += RESPONSABLES;
    }
    let reminder = at(last_day - Days::new(1), 7, 0);
    if opened < reminder && reminder < to {
        counts.reminders_of_deadlines += RESPONSABLES;
    }
}

/// Counts the reminder on the day before at seven, unless the planning is suspended then.
fn remind(
    counts: &mut Counts,
    planned: &Planned,
    date: DateTime<Utc>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) {
    let reminder = at(day(date) - Days::new(1), 7, 0);
    let awake = match planned.rest {
        Rest::Until(end) => reminder > end,
        _ => true,
    };
    if awake && reminder > from && reminder < to {
        counts.reminders_of_visits += RESPONSABLES;
    }
}

/// Every date of a planning until two days after `to`, so that its reminder is counted: so many days or months after the
/// first one, on the calendar, at the same local hour.
fn dates(planned: &Planned, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut dates = Vec::new();
    for n in 0.. {
        let first = planned.first;
        let local = if planned.months == 0 {
            first + TimeDelta::days(i64::from(planned.days) * n)
        } else {
            let month = i64::from(first.year()) * 12
                + i64::from(first.month0())
                + n * i64::from(planned.months);
            let (year, month) =
                (i32::try_from(month / 12).unwrap(), u32::try_from(month % 12).unwrap() + 1);
            let day = (28..=first.day())
                .rev()
                .chain([first.day()])
                .find_map(|d| NaiveDate::from_ymd_opt(year, month, d));
            day.unwrap()
        };
        let date = at(local, planned.hour, 30);
        if date >= to + TimeDelta::days(2) {
            return dates;
        }
        dates.push(date);
        assert!(date > from - TimeDelta::days(400));
    }
    dates
}

fn days(from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
    let last = day(to);
    day(from).iter_days().take_while(move |day| *day <= last)
}

thread_local! {
    /// When the rules of 2026c arrive; until then only those of 2025b are known.
    pub static ARRIVAL: Cell<DateTime<Utc>> = const { Cell::new(DateTime::<Utc>::MAX_UTC) };
}

fn day(time: DateTime<Utc>) -> NaiveDate {
    let rules = if time < ARRIVAL.get() { RULES_2025B } else { RULES_2026C };
    (time.naive_utc() + TimeDelta::minutes(minutes_ahead(rules, time).into())).date()
}

/// The instant of a local time: by the old rules if that is not after the arrival of the new ones, else by the new ones.
fn at(day: NaiveDate, hour: u32, minute: u32) -> DateTime<Utc> {
    let wall = day.and_time(NaiveTime::from_hms_opt(hour, minute, 0).unwrap());
    let by_old = shown_at(wall.and_utc(), RULES_2025B);
    if by_old <= ARRIVAL.get() { by_old } else { shown_at(wall.and_utc(), RULES_2026C) }
}

/// The instant at which clocks by `rules` show `wall`. No clock change falls on the hours that are asked for.
fn shown_at(wall: DateTime<Utc>, rules: Changes) -> DateTime<Utc> {
    let ahead = |minutes: i32| wall - TimeDelta::minutes(minutes.into());
    [0, 60].into_iter().find(|m| minutes_ahead(rules, ahead(*m)) == *m).map(ahead).unwrap()
}

/// The first multiple of so many minutes at `time` or later.
fn next_multiple(time: DateTime<Utc>, minutes: i64) -> DateTime<Utc> {
    let (seconds, step) = (time.timestamp(), minutes * 60);
    DateTime::from_timestamp((seconds + step - 1) / step * step, 0).unwrap()
}
