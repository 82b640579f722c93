//! Batches: when all jobs of a batch have ended, and it takes no more, one follow-up job is enqueued, once.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};
use ulid::Ulid;

use crate::{Error, NewJob, Result, enqueue::enqueue_into};

/// The state of a batch: the number of its jobs, and how many have ended in which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    pub jobs: i32,
    pub done: i32,
    pub dead: i32,
    pub cancelled: i32,
    pub closed_at: Option<DateTime<Utc>>,
    /// When the batch was closed and its last job had ended.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The key in the metadata of the follow-up job under which it finds the id of its batch.
pub const METADATA: &str = "batch";

/// Opens a batch, and returns its id. `then` is enqueued when the batch is closed and all its jobs have ended, whether done,
/// dead or cancelled; its key and its delay are ignored. It finds the id of the batch under [`METADATA`], and the outcome by
/// [`summary`].
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

/// Enqueues a job in batch `id`. Returns its id, or `None` if its key is taken. If the batch is closed (`Closed`), nothing is
/// added.
///
/// The batch is locked until the transaction ends: keep it short, or add many jobs in one transaction.
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

/// Closes batch `id`: it takes no more jobs. If all its jobs have ended already (or it has none), the follow-up job is enqueued
/// now, without a notification: see [`crate::Announcer`]. Closing it again changes nothing.
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

/// The state of batch `id` so far.
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

/// Removes up to `limit` batches that ended before `before`; returns how many.
pub async fn prune(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let pruned = sqlx::query!(
        "delete from queue.batches where id in (select id from queue.batches where ended_at < $1 limit $2)",
        before,
        limit,
    );
    Ok(pruned.execute(db).await?.rows_affected())
}
