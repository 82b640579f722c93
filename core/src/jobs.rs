//! Declaring a job, and enqueueing it in the caller's transaction.
use std::{collections::HashMap, time::Duration};

use apalis::prelude::{MetadataStore, TaskBuilder};
use apalis_postgres::queries::push_tasks;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Acquire as _, PgExecutor};
use uuid::Uuid;

use crate::{Error, Result, Tx};

/// The metadata key under which a job carries the id of the request that caused it.
pub const REQUEST_ID: &str = "request_id";
/// The metadata key under which the database counts the workers that died running a job.
pub const RESCUES: &str = "rescues";
/// After so many of them the job is what kills: it is dead.
pub const MAX_RESCUES: usize = 3;

/// A job's payload: ids and scalars, never a row, and a stored contract: what is enqueued today is run by next
/// month's code, so new fields are optional.
pub trait Job: Serialize + DeserializeOwned + Clone + Send + Sync + Unpin + 'static {
    const QUEUE: &'static str;
    /// After so many failed attempts the job is dead.
    const MAX_ATTEMPTS: usize = 8;
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// Attempts that run at once in one process.
    const CONCURRENCY: usize = 4;
    /// Jobs taken from the queue at once. More is quicker for short jobs; for long ones it keeps from
    /// other replicas what they could do now.
    const BATCH: usize = 10;
    /// The longest pause between two attempts.
    const MAX_BACKOFF: Duration = Duration::from_hours(1);

    /// Jobs of one queue with the same key are one job, as long as the row of the first is kept.
    fn key(&self) -> Option<String> {
        None
    }
}

/// Who causes what is done in a transaction: the id of the request, carried by the jobs that follow from it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cause(pub Option<Uuid>);

tokio::task_local! {
    /// The request that the current task serves. Set once by the API's layer, read by [`enqueue`].
    pub static CAUSE: Cause;
}

/// Enqueues `job`: it exists if, and only if, `tx` commits.
pub async fn enqueue<J: Job>(tx: &mut Tx<'_>, job: &J) -> Result<()> {
    let payload = serde_json::to_vec(job).map_err(anyhow::Error::from)?;
    let mut task = TaskBuilder::new(payload).max_attempts(J::MAX_ATTEMPTS);
    if let Ok(Cause(Some(request_id))) = CAUSE.try_with(|cause| *cause) {
        let metadata = HashMap::from([(REQUEST_ID.to_owned(), request_id.to_string())]);
        task = task.with_metadata(MetadataStore::from_map(metadata));
    }
    let Some(key) = job.key() else {
        return push_tasks(&mut **tx, J::QUEUE, vec![task.build()]).await.map_err(into_error);
    };
    // A savepoint, so that a job already there does not poison the caller's transaction.
    let task = task.idempotency_key(key).build();
    let mut savepoint = tx.begin().await?;
    match push_tasks(&mut *savepoint, J::QUEUE, vec![task]).await {
        Ok(()) => Ok(savepoint.commit().await?),
        Err(apalis_postgres::Error::Database(e))
            if e.as_database_error()
                .is_some_and(sqlx::error::DatabaseError::is_unique_violation) =>
        {
            Ok(savepoint.rollback().await?)
        }
        Err(e) => Err(into_error(e)),
    }
}

fn into_error(error: apalis_postgres::Error) -> Error {
    match error {
        apalis_postgres::Error::Database(e) => e.into(),
        other => Error::Internal(other.into()),
    }
}

/// The pause after the `attempt`-th failure: 2 s, 4 s, 8 s… up to `longest`. Jitter is added where it is stored.
#[must_use]
pub fn backoff(attempt: usize, longest: Duration) -> Duration {
    Duration::from_secs(1 << attempt.clamp(1, 16)).min(longest)
}

/// Moves the next attempt of job `id` by `delay` (half to all of it, so that what failed together does not come back
/// together), in the database: waiting takes no slot, and outlives a restart. Called before the failure is recorded.
pub async fn postpone(
    db: impl PgExecutor<'_>,
    id: &str,
    delay: Duration,
    max_attempts: usize,
) -> Result<()> {
    // A job enqueued by an older version may have been allowed fewer attempts than are now.
    let max_attempts = i32::try_from(max_attempts).unwrap_or(i32::MAX);
    sqlx::query!(
        r#"
            update apalis.jobs
            set run_at = clock_timestamp() + make_interval(secs => $2 * (0.5 + random() / 2)),
                max_attempts = greatest(attempts + 2, $3)
            where id = $1
        "#,
        id,
        delay.as_secs_f64(),
        max_attempts,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes ready again, at no cost, what the workers of process `instance` still hold when it stops; gives how many.
pub async fn hand_back(db: impl PgExecutor<'_>, instance: &str) -> Result<u64> {
    let done = sqlx::query!(
        r#"
            update apalis.jobs
            set status = 'Pending', lock_by = null, lock_at = null
            where status in ('Queued', 'Running') and split_part(lock_by, '@', 2) like $1 || '-%'
        "#,
        instance,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
