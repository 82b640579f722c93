//! Schedules, and the clocks that look at them.
use std::{collections::BTreeSet, sync::Arc};

use apalis::prelude::BoxDynError;
use apalis_hot::{
    Announcer, Error, NewJob, Options,
    schedules::{self, Edit, Schedule, Scheduled},
};
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use tokio::task::JoinSet;

use crate::support::{Bench, Probe, QUEUE, Seen, handler, run, until};

/// Schedules whose expression is a number of seconds: each comes due at every multiple of it. "never" has no date, and what is
/// no number is broken.
struct EverySeconds;

impl Scheduled for EverySeconds {
    fn names(&self) -> &[&str] {
        &["a", "b"]
    }

    fn next(
        &self,
        schedule: &Schedule,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, BoxDynError> {
        if schedule.cron == "never" {
            return Ok(None);
        }
        let step = TimeDelta::seconds(schedule.cron.parse()?);
        Ok(Some(after.duration_trunc(step)? + step))
    }

    fn job(&self, _name: &str, tick: Option<DateTime<Utc>>) -> Result<NewJob, BoxDynError> {
        let n = tick.map_or(0, |tick| tick.timestamp());
        let key = tick.map(|tick| tick.to_rfc3339());
        Ok(NewJob { key, ..NewJob::new(QUEUE, &Probe { n: usize::try_from(n)? })? })
    }
}

impl Bench {
    async fn schedule(&self, name: &str, cron: &str, next: &str) {
        let mut db = self.pool.acquire().await.unwrap();
        schedules::declare(&mut db, name, cron, "UTC").await.unwrap();
        let next = format!("update queue.schedules set next_run_at = {next} where name = $1");
        sqlx::query(sqlx::AssertSqlSafe(next)).bind(name).execute(&self.pool).await.unwrap();
    }

    async fn tick(&self) -> Vec<schedules::Tick> {
        let mut tx = self.pool.begin().await.unwrap();
        let ticks = schedules::tick(&mut tx, &EverySeconds).await.unwrap();
        tx.commit().await.unwrap();
        ticks
    }

    async fn edit(&self, name: &str, edit: Edit) -> Result<Schedule, Error> {
        let mut tx = self.pool.begin().await.unwrap();
        let edited = schedules::edit(&mut tx, &EverySeconds, name, edit).await?;
        tx.commit().await.unwrap();
        Ok(edited)
    }

    async fn row(&self, name: &str) -> Schedule {
        let mut db = self.pool.acquire().await.unwrap();
        schedules::find_for_update(&mut db, name).await.unwrap()
    }

    async fn jobs(&self) -> i64 {
        let jobs = sqlx::query_scalar("select count(*) from queue.jobs where queue = $1");
        jobs.bind(QUEUE).fetch_one(&self.pool).await.unwrap()
    }
}

#[tokio::test]
async fn a_tick_becomes_one_job_however_many_look_at_the_clock() {
    let bench = Arc::new(Bench::new().await);
    bench.schedule("a", "86400", "clock_timestamp()").await;
    let mut looks = JoinSet::new();
    for _ in 0..8 {
        let bench = bench.clone();
        looks.spawn(async move { bench.tick().await.len() });
    }
    assert_eq!(looks.join_all().await.iter().sum::<usize>(), 1);
    assert_eq!(bench.jobs().await, 1);
    assert!(bench.row("a").await.next_run_at.unwrap() > bench.row("a").await.last_run_at.unwrap());
}

#[tokio::test]
async fn a_tick_that_is_taken_back_comes_due_again() {
    let bench = Bench::new().await;
    bench.schedule("a", "86400", "clock_timestamp()").await;
    let mut tx = bench.pool.begin().await.unwrap();
    assert_eq!(schedules::tick(&mut tx, &EverySeconds).await.unwrap().len(), 1);
    tx.rollback().await.unwrap();
    assert_eq!(bench.jobs().await, 0);
    assert_eq!(bench.tick().await.len(), 1);
    assert_eq!(bench.jobs().await, 1);
}

#[tokio::test]
async fn of_the_ticks_that_an_outage_missed_one_is_run() {
    let bench = Bench::new().await;
    bench.schedule("a", "86400", "clock_timestamp() - interval '3 days'").await;
    let missed = bench.row("a").await.next_run_at.unwrap();
    let ticks = bench.tick().await;
    assert_eq!(ticks.iter().map(|tick| tick.at).collect::<Vec<_>>(), [missed]);
    assert!(bench.row("a").await.next_run_at.unwrap() > missed + TimeDelta::days(2));
    assert_eq!(bench.tick().await, [], "the others are left out");
}

#[tokio::test]
async fn a_schedule_that_is_broken_does_not_hold_up_the_others() {
    let bench = Bench::new().await;
    bench.schedule("a", "nonsense", "clock_timestamp()").await;
    bench.schedule("b", "86400", "clock_timestamp()").await;
    // A schedule of another version of the program, which this one leaves alone.
    bench.schedule("c", "86400", "clock_timestamp() - interval '1 hour'").await;
    let ticks = bench.tick().await;
    assert_eq!(ticks.iter().map(|tick| &*tick.schedule).collect::<Vec<_>>(), ["b"]);
    assert_eq!(bench.jobs().await, 1, "what the broken one had enqueued is taken back");
    assert_eq!(bench.row("c").await.last_run_at, None);
}

#[tokio::test]
async fn an_edit_loses_no_tick_and_goes_by_its_new_dates() {
    let bench = Bench::new().await;
    bench.schedule("a", "86400", "clock_timestamp() - interval '1 second'").await;
    let due = bench.row("a").await.next_run_at;
    let edited = bench.edit("a", Edit { cron: Some("3600".into()), ..Edit::default() }).await;
    let edited = edited.unwrap();
    assert_eq!(edited.last_run_at, due);
    assert_eq!(bench.jobs().await, 1);
    assert!(edited.next_run_at.unwrap() - edited.last_run_at.unwrap() <= TimeDelta::hours(2));

    // Ticks do not raise the version: an editor with an older version learns of edits alone.
    assert_eq!(edited.version, 2);
    bench.schedule("a", "3600", "clock_timestamp()").await;
    assert_eq!(bench.tick().await.len(), 1);
    assert_eq!(bench.row("a").await.version, 2);

    let never = bench.edit("a", Edit { cron: Some("never".into()), ..Edit::default() }).await;
    assert!(matches!(never, Err(Error::NoDate)), "{never:?}");
    assert_eq!(bench.row("a").await.cron, "3600", "nothing was changed");
    let off = bench.edit("a", Edit { enabled: Some(false), ..Edit::default() }).await.unwrap();
    assert_eq!((off.next_run_at, bench.tick().await), (None, Vec::new()));
    let none = bench.edit("none", Edit::default()).await;
    assert!(matches!(none, Err(Error::NotFound("schedule"))), "{none:?}");
}

#[tokio::test]
async fn a_schedule_that_has_no_date_left_is_disabled_after_its_last_tick() {
    let bench = Bench::new().await;
    bench.schedule("a", "never", "clock_timestamp()").await;
    assert_eq!(bench.tick().await.len(), 1);
    let row = bench.row("a").await;
    assert_eq!((row.enabled, row.next_run_at), (false, None));
    assert_eq!(schedules::seconds_to_next(&bench.pool, &EverySeconds).await.unwrap(), None);
}

#[tokio::test]
async fn every_tick_is_run_once_while_several_processes_look_at_the_clock() {
    let bench = Bench::new().await;
    bench.schedule("a", "1", "null").await;
    let (seen, process) = (Seen::default(), bench.process());
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(probe.n);
            async { Ok(()) }
        })
    };
    let clocks = async {
        let announcers = [(); 3].map(|()| Announcer::new(&bench.pool));
        let [a, b, c] = announcers
            .each_ref()
            .map(|announcer| schedules::run(&bench.pool, &EverySeconds, announcer));
        tokio::select! {
            never = a => match never {},
            never = b => match never {},
            never = c => match never {},
            () = until("three ticks", async || seen.len() >= 3) => Ok(()),
        }
    };
    run(&process, Options::new(QUEUE), work, clocks).await;
    let ticks = seen.all();
    let each: BTreeSet<_> = ticks.iter().collect();
    assert_eq!(each.len(), ticks.len(), "each second once: {ticks:?}");
}

#[tokio::test]
async fn an_order_by_hand_leaves_the_dates_alone() {
    let bench = Bench::new().await;
    bench.schedule("a", "86400", "clock_timestamp() + interval '1 hour'").await;
    let before = bench.row("a").await;
    let mut tx = bench.pool.begin().await.unwrap();
    schedules::run_now(&mut tx, &EverySeconds, "a").await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!((bench.jobs().await, bench.row("a").await), (1, before));
}
