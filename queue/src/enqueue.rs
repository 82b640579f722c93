//! Enqueueing: writes jobs as rows in the caller's transaction.
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use sqlx::{PgConnection, types::Json};
use ulid::{Generator, Ulid};

use crate::Result;

/// A job to be enqueued.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub queue: String,
    /// JSON. Keep to ids and scalars: a later version of the program may have to read it.
    pub payload: Vec<u8>,
    /// The job is dead after this many attempts that failed by a fault of its own, or after those of its queue
    /// ([`crate::Options::max_attempts`]), whichever are fewer. At least one.
    pub max_attempts: u32,
    /// The job is not due before this time has passed.
    pub delay: Duration,
    /// A queue accepts no second job with the same key, until the key is freed ([`crate::admin::forget_keys`]).
    pub key: Option<String>,
    /// What accompanies the job and is not part of its work: the request that caused it, the trace it belongs to.
    pub metadata: BTreeMap<String, String>,
}

impl NewJob {
    /// A job that is ready at once, with 25 attempts and no key.
    pub fn new<T: Serialize>(queue: impl Into<String>, payload: &T) -> Result<Self> {
        Ok(Self {
            queue: queue.into(),
            payload: serde_json::to_vec(payload)?,
            max_attempts: 25,
            delay: Duration::ZERO,
            key: None,
            metadata: BTreeMap::new(),
        })
    }

    fn metadata(&self) -> Option<Json<&BTreeMap<String, String>>> {
        (!self.metadata.is_empty()).then_some(Json(&self.metadata))
    }
}

/// Enqueues `job`: it exists if, and only if, the transaction of `db` commits. Returns its id (a ULID: later jobs have greater
/// ones), or `None` if its key is taken; nothing is added then.
///
/// Sends no notification. Let a [`crate::Announcer`] announce the queue after the commit, or the job waits for the next poll:
/// `NOTIFY` inside a transaction takes a lock that the whole cluster shares, and holds it through the commit's fsync.
pub async fn enqueue(db: &mut PgConnection, job: &NewJob) -> Result<Option<String>> {
    enqueue_into(db, job, None).await
}

/// A new id, greater than all earlier ones of this process.
fn new_id() -> String {
    static IDS: Mutex<Generator> = Mutex::new(Generator::new());
    let mut ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    // Fails only after 2^80 ids in one millisecond.
    ids.generate().unwrap_or_else(|_| Ulid::generate()).to_string()
}

pub(crate) async fn enqueue_into(
    db: &mut PgConnection,
    job: &NewJob,
    batch: Option<&str>,
) -> Result<Option<String>> {
    let id = new_id();
    let max_attempts = i32::try_from(job.max_attempts).unwrap_or(i32::MAX);
    let Some(key) = &job.key else {
        sqlx::query!(
            r#"
                insert into queue.jobs (id, queue, run_at, max_attempts, batch, metadata, payload)
                values ($1, $2, clock_timestamp() + make_interval(secs => $3), $4, $5, $6, $7)
            "#,
            id,
            job.queue,
            job.delay.as_secs_f64(),
            max_attempts,
            batch,
            job.metadata() as _,
            job.payload,
        )
        .execute(db)
        .await?;
        return Ok(Some(id));
    };
    let added = sqlx::query!(
        r#"
            with taken as (
                insert into queue.keys (queue, key, job) values ($2, $8, $1)
                on conflict do nothing returning key
            )
            insert into queue.jobs (id, queue, run_at, max_attempts, batch, metadata, payload, key)
            select $1, $2, clock_timestamp() + make_interval(secs => $3), $4, $5, $6, $7, key from taken
        "#,
        id,
        job.queue,
        job.delay.as_secs_f64(),
        max_attempts,
        batch,
        job.metadata() as _,
        job.payload,
        key,
    )
    .execute(db)
    .await?;
    Ok((added.rows_affected() > 0).then_some(id))
}

/// Enqueues many jobs of one queue in one statement, without keys, batch or delay. Returns their ids, in order.
pub async fn enqueue_all(
    db: &mut PgConnection,
    queue: &str,
    max_attempts: u32,
    payloads: &[Vec<u8>],
) -> Result<Vec<String>> {
    let ids: Vec<_> = payloads.iter().map(|_| new_id()).collect();
    sqlx::query!(
        r#"
            insert into queue.jobs (id, queue, run_at, max_attempts, payload)
            select id, $1, clock_timestamp(), $2, payload from unnest($3::text[], $4::bytea[]) as j (id, payload)
        "#,
        queue,
        i32::try_from(max_attempts).unwrap_or(i32::MAX),
        &ids,
        payloads,
    )
    .execute(db)
    .await?;
    Ok(ids)
}
