//! Schedules: each tick (a date on which a schedule comes due) becomes one job, however many processes look at the clock.
//!
//! The application computes when a schedule comes due ([`Scheduled`]): it knows the calendars and the time zones. This module
//! decides what is due, by the database's clock, and sees to it that a tick is neither lost nor doubled.
mod clock;
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{Acquire as _, PgConnection, PgExecutor, Postgres, Transaction};

pub use clock::run;
pub use store::{declare, find_for_update, list, lock_all, set_next};

use apalis_core::error::BoxDynError;

use crate::{Error, NewJob, Result, enqueue, error::chain};

/// Ticks that came due less than this ago are all run, so that none of a schedule of every second is left out when a process
/// was busy for two. Of those that came due longer ago only one is run.
const LATE: TimeDelta = TimeDelta::seconds(10);

/// A schedule and its dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub name: String,
    pub cron: String,
    pub timezone: String,
    pub enabled: bool,
    /// The tick that was enqueued last.
    pub last_run_at: Option<DateTime<Utc>>,
    /// `None` while disabled, when no date fits, and before it was first computed.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Raised by every edit.
    pub version: i64,
}

/// An edit of a schedule; a field that is `None` does not change.
#[derive(Debug, Clone, Default)]
pub struct Edit {
    pub cron: Option<String>,
    pub timezone: Option<String>,
    pub enabled: Option<bool>,
}

/// A tick whose job has been enqueued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    pub schedule: String,
    pub at: DateTime<Utc>,
    /// The queue of the job.
    pub queue: String,
}

/// The schedules of an application.
pub trait Scheduled: Send + Sync {
    /// The names of the schedules that this program knows. A schedule with another name belongs to another version of the
    /// program, and is left to it.
    fn names(&self) -> &[&str];

    /// The first tick of `schedule` later than `after`; `None` if there is none. An error is logged at each look while the
    /// schedule would be due, and the other schedules go on.
    fn next(
        &self,
        schedule: &Schedule,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, BoxDynError>;

    /// The job of `tick`, or of a run by hand (`None`). With the tick as its key, the tick becomes one job, whatever happens to
    /// the row of the schedule.
    fn job(&self, name: &str, tick: Option<DateTime<Utc>>) -> Result<NewJob, BoxDynError>;

    /// Called before [`run`] reads what is due, in the same transaction.
    fn prepare(
        &self,
        tx: Transaction<'static, Postgres>,
    ) -> BoxFuture<'static, Result<Transaction<'static, Postgres>, BoxDynError>> {
        std::future::ready(Ok(tx)).boxed()
    }

    /// Called when the transaction that enqueued the job of a tick has committed.
    fn ticked(&self, tick: &Tick) {
        tracing::info!(schedule = tick.schedule, tick = %tick.at, "due");
    }
}

/// Seconds until the next tick, by the database's clock; zero or less if one is due, `None` if there will be none.
pub async fn seconds_to_next(
    db: impl PgExecutor<'_>,
    scheduled: &(impl Scheduled + ?Sized),
) -> Result<Option<f64>> {
    store::seconds_to_next(db, &names(scheduled)).await
}

/// Enqueues the job of every due schedule, and computes its next date; returns the ticks. `db` is in a transaction: the rows
/// are locked until it ends, and the jobs and the next dates commit together. After an error, or if this is dropped, the
/// transaction must be rolled back.
pub async fn tick(
    db: &mut PgConnection,
    scheduled: &(impl Scheduled + ?Sized),
) -> Result<Vec<Tick>> {
    let mut ticks = Vec::new();
    for schedule in store::due(db, &names(scheduled)).await? {
        let name = schedule.name.clone();
        // A savepoint, so that a broken schedule does not hold up the others.
        #[expect(clippy::disallowed_methods, reason = "dropped together with its transaction")]
        let mut savepoint = db.begin().await?;
        match tick_one(&mut savepoint, scheduled, schedule).await {
            Ok(tick) => {
                savepoint.commit().await?;
                ticks.extend(tick);
            }
            Err(error) if error.is_away() => return Err(error),
            Err(error) => {
                savepoint.rollback().await?;
                tracing::error!(schedule = name, error = chain(&error), "a schedule is broken");
            }
        }
    }
    Ok(ticks)
}

async fn tick_one(
    db: &mut PgConnection,
    scheduled: &(impl Scheduled + ?Sized),
    mut schedule: Schedule,
) -> Result<Option<Tick>> {
    let now = store::now(db).await?;
    let mut tick = None;
    if let Some(at) = schedule.next_run_at {
        let queue = put(db, scheduled, &schedule.name, Some(at)).await?;
        tick = Some(Tick { schedule: schedule.name.clone(), at, queue });
        schedule.last_run_at = Some(at);
    }
    let from = schedule.next_run_at.filter(|at| now - *at < LATE).unwrap_or(now);
    schedule.next_run_at = scheduled.next(&schedule, from).map_err(Error::Schedule)?;
    // An enabled schedule without a date would be looked at again and again.
    schedule.enabled &= schedule.next_run_at.is_some();
    store::save(db, &schedule).await?;
    Ok(tick)
}

/// Edits schedule `name`, and computes its next date from now. `NoDate` if it is enabled and would never come due: the caller
/// rolls back its transaction then, and nothing has changed.
pub async fn edit(
    db: &mut PgConnection,
    scheduled: &(impl Scheduled + ?Sized),
    name: &str,
    edit: Edit,
) -> Result<Schedule> {
    let mut schedule = store::find_for_update(db, name).await?;
    let now = store::now(db).await?;
    // A tick that is due by the old dates is enqueued first: the edit does not lose it.
    if let Some(tick) = schedule.next_run_at.filter(|tick| schedule.enabled && *tick <= now) {
        put(db, scheduled, name, Some(tick)).await?;
        schedule.last_run_at = Some(tick);
    }
    schedule.cron = edit.cron.unwrap_or(schedule.cron);
    schedule.timezone = edit.timezone.unwrap_or(schedule.timezone);
    schedule.enabled = edit.enabled.unwrap_or(schedule.enabled);
    schedule.next_run_at = if schedule.enabled {
        let next = scheduled.next(&schedule, now).map_err(Error::Schedule)?;
        Some(next.ok_or(Error::NoDate)?)
    } else {
        None
    };
    store::save(db, &schedule).await?;
    store::find_for_update(db, name).await
}

/// Enqueues the job of a schedule at once; its dates do not change.
pub async fn run_now(
    db: &mut PgConnection,
    scheduled: &(impl Scheduled + ?Sized),
    name: &str,
) -> Result<Schedule> {
    let schedule = store::find_for_update(db, name).await?;
    put(db, scheduled, name, None).await?;
    Ok(schedule)
}

async fn put(
    db: &mut PgConnection,
    scheduled: &(impl Scheduled + ?Sized),
    name: &str,
    tick: Option<DateTime<Utc>>,
) -> Result<String> {
    let job = scheduled.job(name, tick).map_err(Error::Schedule)?;
    enqueue(db, &job).await?;
    Ok(job.queue)
}

fn names(scheduled: &(impl Scheduled + ?Sized)) -> Vec<String> {
    scheduled.names().iter().map(|&name| name.to_owned()).collect()
}
