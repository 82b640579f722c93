//! What comes due by the clock: each tick becomes one job, however many workers look at the clock.
mod cron;
pub mod jobs;
mod store;
mod types;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;

pub use cron::Cron;
pub use store::list;
pub use types::{CronText, NamedPatch, Schedule, SchedulePatch, ZoneName};

use crate::{
    Error, Noun, Result, Tx, digest,
    interventions::jobs as interventions,
    jobs::{Job as _, enqueue},
    local::{self, change},
    planning::jobs as planning,
    reconcile::jobs as reconcile,
};

/// A tick that is late by less is late, not missed: of a schedule of every second, none is left out because a worker
/// was busy for two. Of those that came due longer ago only one is run.
const LATE: TimeDelta = TimeDelta::seconds(10);

/// The schedules of this version, one line each; their rows come with migrations. A row with another name is another
/// version's.
macro_rules! schedules {
    ($($job:ty),+ $(,)?) => {
        /// The names of the schedules.
        pub const NAMES: &[&str] = &[$(<$job>::QUEUE),+];

        /// Enqueues the job of schedule `name`.
        async fn enqueue_job(tx: &mut Tx<'_>, name: &str, tick: Option<DateTime<Utc>>) -> Result<()> {
            match name {
                $(<$job>::QUEUE => enqueue(tx, &<$job>::at(tick)).await,)+
                _ => Err(Error::NotFound(Noun::Schedule)),
            }
        }
    };
}
schedules![
    planning::Generate,
    planning::Remind,
    interventions::Late,
    interventions::Unassigned,
    digest::jobs::Point,
    jobs::Purge,
    reconcile::Reconcile,
];

fn names() -> Vec<String> {
    NAMES.iter().map(|&name| name.to_owned()).collect()
}

/// Whether this version knows what to do when `name` comes due.
#[must_use]
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Seconds until the next tick, by the database's clock; not positive when one is due.
pub async fn seconds_to_next(db: impl PgExecutor<'_>) -> Result<Option<f64>> {
    store::seconds_to_next(db, &names()).await
}

/// Enqueues the job of every schedule that is due, and reckons when it will be again. The rows are locked, and the
/// jobs are there if and only if the schedules have moved on. Gives the ticks.
pub async fn tick(tx: &mut Tx<'_>) -> Result<Vec<(String, DateTime<Utc>)>> {
    change::in_step(tx).await?;
    let mut ticks = Vec::new();
    for schedule in store::due(tx, &names()).await? {
        let name = schedule.name.clone();
        // One that is broken does not hold up the others.
        let mut savepoint = tx.savepoint().await?;
        match tick_one(&mut savepoint, schedule).await {
            Ok(tick) => {
                savepoint.commit().await?;
                ticks.extend(tick.map(|tick| (name, tick)));
            }
            Err(error) if error.is_unavailable() => return Err(error),
            Err(error) => {
                savepoint.rollback().await?;
                tracing::error!(
                    schedule = name,
                    error = format!("{error:#}"),
                    "a schedule is broken"
                );
            }
        }
    }
    Ok(ticks)
}

async fn tick_one(tx: &mut Tx<'_>, mut schedule: Schedule) -> Result<Option<DateTime<Utc>>> {
    let now = store::now(tx).await?;
    let tick = schedule.next_run_at;
    if let Some(tick) = tick {
        enqueue_job(tx, &schedule.name, Some(tick)).await?;
        schedule.last_run_at = Some(tick);
    }
    let from = tick.filter(|tick| now - *tick < LATE).unwrap_or(now);
    schedule.next_run_at = next(&schedule, from)?;
    // One without another date would be looked at again and again.
    schedule.enabled &= schedule.next_run_at.is_some();
    store::save(tx, &schedule).await?;
    Ok(tick)
}

/// The schedule `name`, locked until `tx` ends.
pub async fn find_for_update(tx: &mut Tx<'_>, name: &str) -> Result<Schedule> {
    // Before the row: whoever takes over other rules of time takes both in this order.
    change::in_step(tx).await?;
    store::find_for_update(tx, name).await
}

/// Changes when a schedule comes due; from now on it goes by its new dates.
pub async fn update(tx: &mut Tx<'_>, name: &str, patch: SchedulePatch) -> Result<Schedule> {
    let mut schedule = find_for_update(tx, name).await?;
    let now = store::now(tx).await?;
    // A tick that is due by the old dates is not lost by the edit.
    if let Some(tick) = schedule.next_run_at.filter(|tick| schedule.enabled && *tick <= now) {
        enqueue_job(tx, name, Some(tick)).await?;
        schedule.last_run_at = Some(tick);
    }
    schedule.cron = patch.cron.unwrap_or(schedule.cron);
    schedule.timezone = patch.timezone.unwrap_or(schedule.timezone);
    schedule.enabled = patch.enabled.unwrap_or(schedule.enabled);
    schedule.next_run_at = if schedule.enabled { next(&schedule, now)? } else { None };
    if schedule.enabled && schedule.next_run_at.is_none() {
        return Err(Error::conflict(
            "planification_sans_date",
            "Aucune date ne correspond à cette expression : vérifiez le jour et le mois.",
            "No date fits this expression: check the day and the month.",
        ));
    }
    store::save(tx, &schedule).await?;
    change::remember(tx, &schedule.timezone).await?;
    store::find_for_update(tx, name).await
}

/// Enqueues the job of a schedule at once; its dates stay.
pub async fn run_now(tx: &mut Tx<'_>, name: &str) -> Result<Schedule> {
    let schedule = store::find_for_update(tx, name).await?;
    enqueue_job(tx, name, None).await?;
    Ok(schedule)
}

fn next(schedule: &Schedule, after: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    // Checked when they were written; should a migration have brought nonsense, it is our fault.
    let cron = Cron::parse(&schedule.cron).map_err(anyhow::Error::msg)?;
    let zone = local::zone(&schedule.timezone)
        .ok_or_else(|| anyhow::anyhow!("{}: no such time zone", schedule.timezone))?;
    Ok(cron.next(after, &zone))
}
