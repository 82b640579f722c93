//! What operators see of the jobs, and what they may do to them.
//!
//! Each action is safe to repeat: a job that is already in the requested state is not changed.
pub mod about;
pub mod breakers;
mod changes;
pub mod limits;
pub mod programs;
mod sizes;
mod store;
mod types;

use apalis_hot::admin::{self, Job};
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

pub use changes::watch;
pub use sizes::{FileSizes, TableSize, files, postgres, tables};
pub use store::{list, workers};
pub use types::{
    BulkOut, DeadGroup, JobAttempt, JobBulk, JobDetail, JobFilter, JobList, JobOut, JobState,
    QueueConcurrency, QueueOut, WorkerOut,
};

use crate::{
    Code, Error, Noun, Result, Tx, catalogue,
    page::{MOST_COUNTED, Page},
};

impl Noun {
    pub const JOB: Self = Self::new(Code::TacheIntrouvable, "Tâche introuvable.", "Job not found.");
    pub const QUEUE: Self =
        Self::new(Code::FileIntrouvable, "File d'attente introuvable.", "Queue not found.");
}

/// Jobs that one request changes at the most.
const MOST_CHANGED: i64 = 1000;

/// What an operator may do to jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run a dead or cancelled job again, and a waiting one at once.
    Retry,
    /// Cancel a job that has not ended.
    Cancel,
    /// Remove a job that has ended.
    Delete,
}

impl Action {
    /// The SQL condition of the rows of the view `taches` that it changes, in terms that select a table and fit its index.
    fn condition(self) -> &'static str {
        match self {
            Self::Retry => {
                "(live and lock_free and error is not null or not live and state in ('dead', 'cancelled'))"
            }
            Self::Cancel => "live",
            Self::Delete => "not live",
        }
    }
}

/// One job, with its payload and its history.
pub async fn find(pool: &PgPool, id: &str) -> Result<JobDetail> {
    Ok(store::find(pool, id).await?.into())
}

/// Does `action` to job `id`, and returns the job. A conflict if the state of the job does not allow it.
pub async fn act(
    tx: &mut Tx<'_>,
    action: Action,
    id: &str,
    now: DateTime<Utc>,
) -> Result<JobDetail> {
    let job = store::find_for_update(tx, id).await?;
    match (action, JobState::from(job.state)) {
        (Action::Retry, JobState::Ready) | (Action::Cancel, JobState::Cancelled) => {
            return Ok(job.into());
        }
        (Action::Retry, JobState::Running | JobState::Done) => return Err(not_to_retry()),
        (Action::Cancel, JobState::Done | JobState::Dead) => return Err(ended()),
        (Action::Delete, state) if !has_ended(state) => return Err(not_ended()),
        _ => {}
    }
    apply(tx, action, &job, now).await?;
    if action == Action::Delete {
        return Ok(job.into());
    }
    Ok(store::find(&mut **tx, id).await?.into())
}

/// Does `action` to those jobs of `filter` that it applies to, the oldest first, up to `most` and to a thousand. A repeated call goes
/// on with the rest, and does nothing twice.
pub async fn act_on_all(
    tx: &mut Tx<'_>,
    action: Action,
    filter: &JobFilter,
    most: i64,
    now: DateTime<Utc>,
) -> Result<BulkOut> {
    must_name_something(filter)?;
    let most = most.min(MOST_CHANGED);
    let jobs = store::find_all_for_update(tx, filter, action.condition(), most).await?;
    for job in &jobs {
        apply(tx, action, job, now).await?;
    }
    let more = store::count(tx, filter, action.condition(), 1).await? > 0;
    let error = jobs.iter().find_map(|job| job.error.clone());
    Ok(BulkOut { count: i64::try_from(jobs.len()).unwrap_or(i64::MAX), more, error })
}

/// How many jobs [`act_on_all`] would change in total, if repeated while there are more. Counted up to [`MOST_COUNTED`].
pub async fn preview(pool: &PgPool, action: Action, filter: &JobFilter) -> Result<BulkOut> {
    must_name_something(filter)?;
    let mut db = pool.acquire().await?;
    let count = store::count(&mut db, filter, action.condition(), MOST_COUNTED + 1).await?;
    Ok(BulkOut { count: count.min(MOST_COUNTED), more: count > MOST_COUNTED, error: None })
}

/// Some of the jobs that [`act_on_all`] would change: at most as many as `page` has.
pub async fn sample(
    pool: &PgPool,
    action: Action,
    filter: &JobFilter,
    page: &Page,
) -> Result<Vec<JobOut>> {
    must_name_something(filter)?;
    store::sample(pool, filter, action.condition(), page).await
}

/// The most groups of dead jobs that are shown.
const MOST_GROUPS: i64 = 200;

/// The groups of the latest 10 000 dead jobs, the greatest first, at most two hundred.
pub async fn dead_groups(pool: &PgPool) -> Result<Vec<DeadGroup>> {
    store::dead_groups(pool, MOST_COUNTED, MOST_GROUPS).await
}

/// Refuses a filter without any criterion: it would mean every job, most likely by mistake.
fn must_name_something(filter: &JobFilter) -> Result<()> {
    if !filter.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        Code::CritereManquant,
        "Précisez au moins un critère : type, state, error, error_alike, request_id, key, created_from ou created_to.",
        "Give at least one of type, state, error, error_alike, request_id, key, created_from, created_to.",
    ))
}

async fn apply(tx: &mut Tx<'_>, action: Action, job: &Job, now: DateTime<Utc>) -> Result<()> {
    let Job { id, queue, payload, .. } = job;
    match action {
        Action::Retry => {
            admin::redrive(tx, id).await?;
            catalogue::revive(tx, queue, payload).await
        }
        Action::Cancel => {
            const REASON: &str = "Annulé par un opérateur.";
            admin::cancel(tx, id, REASON).await?;
            catalogue::abandon(tx, queue, payload, REASON, now).await
        }
        Action::Delete => Ok(admin::delete(tx, id).await.map(drop)?),
    }
}

fn has_ended(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Dead | JobState::Cancelled)
}

/// The queues, with the counts of their jobs.
pub async fn queues(db: impl PgExecutor<'_>) -> Result<Vec<QueueOut>> {
    let known: Vec<_> = catalogue::QUEUES.iter().map(|&q| q.to_owned()).collect();
    store::queues(db, &known, MOST_COUNTED).await
}

/// Pauses queue `name`, by order of user `by`: no worker claims a job of it any more. Running jobs finish.
pub async fn pause(tx: &mut Tx<'_>, name: &str, by: i64) -> Result<()> {
    must_exist(tx, name).await?;
    store::pause(tx, name, by).await
}

/// Undoes [`pause`].
pub async fn resume(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    must_exist(tx, name).await?;
    Ok(admin::resume(tx, name).await?)
}

/// Sets how many jobs of queue `name` each process runs at once, from 1 to 1000; `None`: as many as its program says. Every
/// process follows within two seconds.
pub async fn set_concurrency(tx: &mut Tx<'_>, name: &str, limit: Option<i32>) -> Result<()> {
    must_exist(tx, name).await?;
    Ok(admin::set_concurrency(tx, name, limit).await?)
}

/// `NotFound` if `name` is neither a queue of this program nor one that has jobs.
async fn must_exist(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    if catalogue::QUEUES.contains(&name) || store::has_jobs(tx, name).await? {
        return Ok(());
    }
    Err(Error::NotFound(Noun::QUEUE))
}

/// Days for which jobs that were done or cancelled are kept, and for which their keys stay taken.
pub const KEPT_DAYS: i32 = 7;
/// Days for which dead jobs are kept.
pub const DEAD_KEPT_DAYS: i64 = 30;

/// Removes up to `limit` jobs that died before `before`; returns how many.
pub async fn prune_dead(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    Ok(count(admin::prune_dead(tx, before, limit).await?))
}

/// Removes up to `limit` jobs that were done or cancelled before `before` and whose day has no table that can be dropped; returns
/// how many.
pub async fn prune_rest(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    Ok(count(admin::prune_rest(tx, before, limit).await?))
}

/// Frees up to `limit` keys that were taken before `before` by jobs that have ended since; returns how many.
pub async fn forget_keys(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    Ok(count(admin::forget_keys(tx, before, limit).await?))
}

/// Removes up to `limit` batches that ended before `before`; returns how many.
pub async fn forget_batches(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    Ok(count(apalis_hot::batch::prune(tx, before, limit).await?))
}

fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

fn not_to_retry() -> Error {
    Error::conflict(
        Code::TacheNonRelancable,
        "Cette tâche est en cours ou terminée avec succès : la relancer la ferait deux fois.",
        "This job is running or has succeeded: running it again would do it twice.",
    )
}

fn ended() -> Error {
    Error::conflict(
        Code::TacheTerminee,
        "Cette tâche est déjà terminée : il n'y a plus rien à annuler.",
        "This job has ended already: there is nothing left to cancel.",
    )
}

fn not_ended() -> Error {
    Error::conflict(
        Code::TacheNonTerminee,
        "Cette tâche n'est pas terminée : annulez-la d'abord, puis supprimez-la.",
        "This job has not ended: cancel it first, then delete it.",
    )
}
