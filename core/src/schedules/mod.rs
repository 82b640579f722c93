//! The schedules of the business, built on those of the queue ([`apalis_hot::schedules`]): which exist, and when they are due.
pub mod jobs;
mod types;

use std::{convert::Infallible, future::ready, time::Duration};

use apalis_hot::{
    NewJob,
    schedules::{self, Edit, Scheduled, Tick},
};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::{PgExecutor, Postgres, Transaction};

pub use crate::local::Cron;
pub use types::{CronText, NamedPatch, Schedule, SchedulePatch, ZoneName};

use crate::{
    Code, Ctx, Error, Noun, Result, Tx, digest,
    interventions::jobs as interventions,
    jobs::{Job as _, new_job},
    local, metrics,
    planning::jobs as planning,
    reconcile::jobs as reconcile,
    time_rules,
};

impl Noun {
    pub const SCHEDULE: Self = Self::new(
        Code::PlanificationIntrouvable,
        "Planification introuvable.",
        "Schedule not found.",
    );
}

/// What the queue is told in case of a fault.
type BoxDynError = Box<dyn std::error::Error + Send + Sync>;

/// The schedules of this version, one line each; their rows come with migrations. A row with another name belongs to another
/// version.
macro_rules! schedules {
    ($($job:ty),+ $(,)?) => {
        /// The names of the schedules.
        pub const NAMES: &[&str] = &[$(<$job>::QUEUE),+];

        /// The job of schedule `name`.
        fn job_of(name: &str, tick: Option<DateTime<Utc>>) -> Result<NewJob, apalis_hot::Error> {
            match name {
                $(<$job>::QUEUE => new_job(&<$job>::at(tick), Duration::ZERO),)+
                _ => Err(apalis_hot::Error::NotFound("schedule")),
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

/// Describes the schedules to the queue. With a context in the loop of a worker, where a transaction must begin in step with
/// the rules of time zones; without one where the caller has begun the transaction.
struct Schedules(Option<Ctx>);

impl Scheduled for Schedules {
    fn names(&self) -> &[&str] {
        NAMES
    }

    fn next(
        &self,
        schedule: &schedules::Schedule,
        after: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>, BoxDynError> {
        // Both were checked when they were written; an invalid one can only come from a migration, and is a bug.
        let cron = Cron::parse(&schedule.cron)?;
        let zone = local::zone(&schedule.timezone)
            .ok_or_else(|| format!("{}: no such time zone", schedule.timezone))?;
        Ok(cron.next(after, &zone))
    }

    fn job(&self, name: &str, tick: Option<DateTime<Utc>>) -> Result<NewJob, BoxDynError> {
        Ok(job_of(name, tick)?)
    }

    fn prepare(
        &self,
        tx: Transaction<'static, Postgres>,
    ) -> BoxFuture<'static, Result<Transaction<'static, Postgres>, BoxDynError>> {
        let Some(ctx) = self.0.clone() else { return ready(Ok(tx)).boxed() };
        async move {
            let mut tx = ctx.tx(tx);
            time_rules::in_step(&mut tx).await?;
            Ok(tx.into_inner().await?)
        }
        .boxed()
    }

    fn ticked(&self, tick: &Tick) {
        tracing::info!(schedule = tick.schedule, tick = %tick.at, "due");
        metrics::SCHEDULE_TICKS.with_label_values(&[&tick.schedule]).inc();
    }
}

/// Enqueues the jobs of schedules as they come due, and never returns. The first worker enqueues a tick.
pub async fn run(ctx: &Ctx) -> Infallible {
    schedules::run(&ctx.pool, &Schedules(Some(ctx.clone())), &ctx.announcer).await
}

/// Whether this version has a job for schedule `name`.
#[must_use]
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Every schedule, by name; not paged, since there are only as many as the code has.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Schedule>> {
    Ok(schedules::list(db).await?.into_iter().map(Schedule::from).collect())
}

/// The next `count` times that `cron` says after `after`, by the clocks of `timezone`; fewer if there are no more. None for an
/// expression or a zone that is not valid.
#[must_use]
pub fn next_ticks(
    cron: &str,
    timezone: &str,
    after: DateTime<Utc>,
    count: usize,
) -> Vec<DateTime<Utc>> {
    let (Ok(cron), Some(zone)) = (Cron::parse(cron), local::zone(timezone)) else {
        return Vec::new();
    };
    let next = |after: &DateTime<Utc>| cron.next(*after, &zone);
    std::iter::successors(next(&after), next).take(count).collect()
}

/// Schedule `name`.
pub async fn find(db: impl PgExecutor<'_>, name: &str) -> Result<Schedule> {
    let all = list(db).await?.into_iter();
    all.into_iter().find(|one| one.name == name).ok_or(Error::NotFound(Noun::SCHEDULE))
}

/// Seconds until the next tick, by the database's clock; not positive when one is due.
pub async fn seconds_to_next(db: impl PgExecutor<'_>) -> Result<Option<f64>> {
    Ok(schedules::seconds_to_next(db, &Schedules(None)).await?)
}

/// Enqueues the job of every schedule that is due, and computes its next tick, as [`run`] does. Returns the ticks.
pub async fn tick(tx: &mut Tx<'_>) -> Result<Vec<(String, DateTime<Utc>)>> {
    time_rules::in_step(tx).await?;
    let ticks = schedules::tick(tx, &Schedules(None)).await?;
    Ok(ticks.into_iter().map(|tick| (tick.schedule, tick.at)).collect())
}

/// The schedule `name`, locked until `tx` ends.
pub async fn find_for_update(tx: &mut Tx<'_>, name: &str) -> Result<Schedule> {
    // Before the row: a transaction that takes over other rules of time locks both in this order.
    time_rules::in_step(tx).await?;
    schedules::find_for_update(tx, name).await.map(Schedule::from).map_err(said)
}

/// Changes when a schedule comes due; its next tick follows the new values.
pub async fn update(tx: &mut Tx<'_>, name: &str, patch: SchedulePatch) -> Result<Schedule> {
    time_rules::in_step(tx).await?;
    let SchedulePatch { cron, timezone, enabled } = patch;
    let edit = Edit { cron, timezone, enabled };
    let schedule = schedules::edit(tx, &Schedules(None), name, edit).await.map_err(said)?;
    announce(tx, name);
    time_rules::remember(tx, &schedule.timezone).await?;
    Ok(schedule.into())
}

/// Enqueues the job of a schedule at once; its next tick does not change.
pub async fn run_now(tx: &mut Tx<'_>, name: &str) -> Result<Schedule> {
    let schedule = schedules::run_now(tx, &Schedules(None), name).await.map_err(said)?;
    announce(tx, name);
    Ok(schedule.into())
}

/// Announces the new job of schedule `name`, whose queue has the same name.
fn announce(tx: &mut Tx<'_>, name: &str) {
    if let Some(name) = NAMES.iter().find(|known| **known == name) {
        tx.announce(name);
    }
}

fn said(error: apalis_hot::Error) -> Error {
    // This version has no job for a schedule of another version.
    let is_unknown =
        |error: &BoxDynError| matches!(error.downcast_ref(), Some(apalis_hot::Error::NotFound(_)));
    match error {
        apalis_hot::Error::NotFound(_) => Error::NotFound(Noun::SCHEDULE),
        apalis_hot::Error::Schedule(error) if is_unknown(&error) => Error::NotFound(Noun::SCHEDULE),
        apalis_hot::Error::NoDate => Error::conflict(
            Code::PlanificationSansDate,
            "Aucune date ne correspond à cette expression : vérifiez le jour et le mois.",
            "No date fits this expression: check the day and the month.",
        ),
        other => other.into(),
    }
}
