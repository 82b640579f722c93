//! Jobs that are waited for together: when all have ended, and no more will come, one more is enqueued, once.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};
use ulid::Ulid;

use crate::{Error, NewJob, Result, enqueue::enqueue_into};

/// What has become of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub jobs: i32,
    pub done: i32,
    pub dead: i32,
    pub cancelled: i32,
    pub closed_at: Option<DateTime<Utc>>,
    /// Since when all have ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The name under which the metadata of the job that follows a batch say its id.
pub const METADATA: &str = "batch";

/// Opens a batch; gives its id. `then` is enqueued when it is closed and all its jobs have ended, whichever way; its key and
/// its delay do not count. It finds the batch by [`METADATA`], and what became of it by [`summary`].
pub async fn open(db: &mut PgConnection, then: &NewJob) -> Result<String> {
    let id = Ulid::generate().to_string();
    sqlx::query!(
        r#"
            insert into queue.batches (id, then_job, then_queue, then_payload, then_max_attempts, then_metadata)
            values ($1, $2, $3, $4, $5, $6)
        "#,
        id,
        Ulid::generate().to_string(),
        then.queue,
        then.payload,
        i32::try_from(then.max_attempts).unwrap_or(i32::MAX),
        Json(&then.metadata) as _,
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Enqueues a job in batch `id`; gives its id, `None` when its key is taken. `Closed`: nothing was added.
///
/// The batch is locked until the transaction ends: keep it short, or add many in one.
pub async fn add(db: &mut PgConnection, id: &str, job: &NewJob) -> Result<Option<String>> {
    let batch = sqlx::query!("select closed_at from queue.batches where id = $1 for update", id)
        .fetch_optional(&mut *db)
        .await?;
    match batch {
        None => return Err(Error::NotFound("batch")),
        Some(batch) if batch.closed_at.is_some() => return Err(Error::Closed),
        Some(_) => {}
    }
    let added = enqueue_into(db, job, Some(id)).await?;
    if added.is_some() {
        sqlx::query!("update queue.batches set jobs = jobs + 1 where id = $1", id)
            .execute(db)
            .await?;
    }
    Ok(added)
}

/// Closes batch `id`: nothing is added any more. When all of its jobs have ended already (or there are none) what follows is
/// enqueued now, and nobody is told: see [`crate::Announcer`]. Closed again it stays as it is.
pub async fn close(db: &mut PgConnection, id: &str) -> Result<()> {
    let closed = sqlx::query!(
        r#"
            with closed as (
                update queue.batches
                set closed_at = coalesce(closed_at, clock_timestamp()),
                    ended_at = case when ended_at is not null then ended_at
                        when done + dead + cancelled >= jobs then clock_timestamp() end
                from (select ended_at is not null as had_ended from queue.batches where id = $1 for update) as before
                where id = $1
                returning *
            ),
            followed as (
                insert into queue.jobs (id, queue, run_at, max_attempts, metadata, payload)
                select then_job, then_queue, clock_timestamp(), then_max_attempts,
                    coalesce(then_metadata, '{}') || jsonb_build_object('batch', id), then_payload
                from closed where ended_at is not null and not had_ended
            )
            select count(*) as "found!" from closed
        "#,
        id,
    )
    .fetch_one(db)
    .await?;
    if closed.found == 0 { Err(Error::NotFound("batch")) } else { Ok(()) }
}

/// What has become of batch `id` so far.
pub async fn summary(db: impl PgExecutor<'_>, id: &str) -> Result<Summary> {
    sqlx::query_as!(
        Summary,
        "select jobs, done, dead, cancelled, closed_at, ended_at from queue.batches where id = $1",
        id
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("batch"))
}

/// Removes up to `limit` batches that ended before `before`; how many.
pub async fn prune(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let pruned = sqlx::query!(
        "delete from queue.batches where id in (select id from queue.batches where ended_at < $1 limit $2)",
        before,
        limit,
    );
    Ok(pruned.execute(db).await?.rows_affected())
}
