//! What operators see of the jobs, and what they may do to them.
//!
//! Each is safe to repeat: what is where it was asked to be is left alone.
mod store;
mod types;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

pub use store::{list, prune, workers};
pub use types::{
    BulkOut, JobAttempt, JobBulk, JobDetail, JobFilter, JobList, JobOut, JobState, QueueOut,
    WorkerOut,
};

use self::store::Row;
use super::known;
use crate::{Error, Noun, Result, Tx, page::MOST_COUNTED};

/// Jobs that one request changes at the most.
const MOST_CHANGED: i64 = 1000;

/// What an operator has done to jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Run again what is dead or cancelled, and at once what waits.
    Retry,
    /// Call off what has not ended.
    Cancel,
    /// Remove what has ended.
    Delete,
}

impl Action {
    /// The rows of the view `jobs` that it changes, in terms that its indexes know.
    fn condition(self) -> &'static str {
        match self {
            Self::Retry => {
                "(status in ('Killed', 'Cancelled') or status = 'Failed' and attempts < max_attempts)"
            }
            Self::Cancel => {
                "(status = 'Pending' or status = 'Failed' and attempts < max_attempts \
                 or status = 'Running' and worker is not null)"
            }
            Self::Delete => "status in ('Done', 'Killed', 'Cancelled')",
        }
    }
}

/// One job, with its payload and its history.
pub async fn find(pool: &PgPool, id: &str) -> Result<JobDetail> {
    Ok(detail(store::find(pool, id).await?))
}

/// Does `action` to job `id`.
pub async fn act(
    tx: &mut Tx<'_>,
    action: Action,
    id: &str,
    now: DateTime<Utc>,
) -> Result<JobDetail> {
    let row = store::find_for_update(tx, id).await?;
    let before = detail(store::find(&mut **tx, id).await?);
    match (action, row.job.state) {
        (Action::Retry, JobState::Ready) | (Action::Cancel, JobState::Cancelled) => {
            return Ok(before);
        }
        (Action::Retry, JobState::Running | JobState::Done) => return Err(not_to_retry()),
        (Action::Cancel, JobState::Done | JobState::Dead) => return Err(ended()),
        (Action::Delete, state) if !has_ended(state) => return Err(not_ended()),
        _ => {}
    }
    apply(tx, action, &row, now).await?;
    if action == Action::Delete {
        return Ok(before);
    }
    Ok(detail(store::find(&mut **tx, id).await?))
}

/// Does `action` to the jobs of `filter` that it concerns, up to a thousand. Sent again it goes on with the rest, and
/// does nothing twice.
pub async fn act_on_all(
    tx: &mut Tx<'_>,
    action: Action,
    filter: &JobFilter,
    now: DateTime<Utc>,
) -> Result<BulkOut> {
    must_name_something(filter)?;
    let rows = store::find_all_for_update(tx, filter, action.condition(), MOST_CHANGED).await?;
    for row in &rows {
        apply(tx, action, row, now).await?;
    }
    let more = store::count(&mut **tx, filter, action.condition(), 1).await? > 0;
    Ok(BulkOut { count: i64::try_from(rows.len()).unwrap_or(i64::MAX), more })
}

/// How many jobs [`act_on_all`] would change, sent as often as it says.
pub async fn preview(pool: &PgPool, action: Action, filter: &JobFilter) -> Result<BulkOut> {
    must_name_something(filter)?;
    let count = store::count(pool, filter, action.condition(), MOST_COUNTED + 1).await?;
    Ok(BulkOut { count: count.min(MOST_COUNTED), more: count > MOST_COUNTED })
}

/// Nobody means every job there is by leaving something out.
fn must_name_something(filter: &JobFilter) -> Result<()> {
    if !filter.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        "critere_manquant",
        "Précisez au moins un critère : type, state, error, created_from ou created_to.",
        "Give at least one of type, state, error, created_from, created_to.",
    ))
}

async fn apply(tx: &mut Tx<'_>, action: Action, row: &Row, now: DateTime<Utc>) -> Result<()> {
    let (id, queue) = (&row.job.id, &row.job.type_);
    match action {
        Action::Retry => {
            store::redrive(tx, id).await?;
            known::revive(tx, queue, &row.payload).await
        }
        Action::Cancel => {
            const REASON: &str = "Annulé par un opérateur.";
            store::cancel(tx, id, REASON).await?;
            known::abandon(tx, queue, &row.payload, REASON, now).await
        }
        Action::Delete => store::delete(tx, std::slice::from_ref(id)).await,
    }
}

fn has_ended(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Dead | JobState::Cancelled)
}

/// The queues, with what waits in them.
pub async fn queues(db: impl PgExecutor<'_>) -> Result<Vec<QueueOut>> {
    let known: Vec<_> = known::QUEUES.iter().map(|&q| q.to_owned()).collect();
    store::queues(db, &known, MOST_COUNTED).await
}

/// Lets no worker take a job of queue `name` any more, by order of user `by`. What runs ends.
pub async fn pause(tx: &mut Tx<'_>, name: &str, by: i64) -> Result<()> {
    must_exist(tx, name).await?;
    store::pause(tx, name, by).await
}

/// Takes back [`pause`].
pub async fn resume(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    must_exist(tx, name).await?;
    store::resume(tx, name).await
}

/// A slip of the pen pauses nothing.
async fn must_exist(tx: &mut Tx<'_>, name: &str) -> Result<()> {
    if known::QUEUES.contains(&name) || store::has_jobs(tx, name).await? {
        return Ok(());
    }
    Err(Error::NotFound(Noun::Queue))
}

/// How long finished jobs are kept, by their state in apalis's table.
pub const KEPT_DAYS: &[(&str, i64)] = &[("Done", 7), ("Cancelled", 7), ("Killed", 30)];

fn detail(row: Row) -> JobDetail {
    let payload = serde_json::from_slice(&row.payload)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&row.payload).into_owned()));
    JobDetail { job: row.job, payload, history: row.history.0 }
}

fn not_to_retry() -> Error {
    Error::conflict(
        "tache_non_relancable",
        "Cette tâche est en cours ou terminée avec succès : la relancer la ferait deux fois.",
        "This job is running or has succeeded: running it again would do it twice.",
    )
}

fn ended() -> Error {
    Error::conflict(
        "tache_terminee",
        "Cette tâche est déjà terminée : il n'y a plus rien à annuler.",
        "This job has ended already: there is nothing left to cancel.",
    )
}

fn not_ended() -> Error {
    Error::conflict(
        "tache_non_terminee",
        "Cette tâche n'est pas terminée : annulez-la d'abord, puis supprimez-la.",
        "This job has not ended: cancel it first, then delete it.",
    )
}
