//! The right of one attempt to write: it is lost when the job is given to another worker, cancelled, or ended.
use std::time::{Duration, Instant};

use apalis_core::task::{Task, data::MissingDataError, from_request::FromRequest};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;

use crate::{Claimed, Error, Result};

/// One attempt of one job, as an argument of its handler.
///
/// A worker process may be frozen, or cut off from Postgres, until others have taken over its jobs; when it comes back, its
/// attempts go on. So an attempt must write only in transactions that hold its lease.
#[derive(Debug, Clone)]
pub struct Lease {
    pub job_id: String,
    /// Counts from 1.
    pub attempt: i32,
    /// When the job was claimed, by the database's clock: distinguishes this attempt from all others of the job.
    pub since: DateTime<Utc>,
    /// When the attempt reaches its time limit, and is stopped.
    pub deadline: Instant,
    /// Cancelled when the attempt must end: its job was cancelled or taken over, or the process stops. A handler that waits for
    /// something outside should watch it. A handler that does not end is dropped: a few seconds after its job was cancelled or
    /// taken over, or when the time for a stop is over.
    pub cancel: CancellationToken,
    checkpoint: Option<Value>,
    pool: PgPool,
}

impl Lease {
    pub(crate) fn new(job: &Claimed, limit: Duration, pool: PgPool) -> Self {
        Self {
            job_id: job.id.clone(),
            attempt: job.attempt,
            since: job.since,
            deadline: Instant::now() + limit,
            cancel: CancellationToken::new(),
            checkpoint: job.checkpoint.clone(),
            pool,
        }
    }

    /// Begins a transaction that holds the lease: the job cannot be taken over before the transaction ends. `LeaseLost`: the
    /// job no longer belongs to this attempt.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        let mut tx = crate::begin(&self.pool).await?;
        self.hold(&mut tx).await?;
        Ok(tx)
    }

    /// The same for a transaction that has begun: until it ends, rescue, cancellation and end of this job are held back.
    pub async fn hold(&self, db: &mut PgConnection) -> Result<()> {
        let held = sqlx::query_scalar!(
            r#"select true as "held!" from queue.jobs where id = $1 and lock_at = $2 for share"#,
            self.job_id,
            self.since,
        )
        .fetch_optional(db)
        .await?;
        held.map(drop).ok_or(Error::LeaseLost)
    }

    /// Reports how far the work is, from 0 to 1 (other values are clamped), and what it does; both are shown with the job. The
    /// report is skipped while a transaction of this attempt is open. `LeaseLost`: the handler should stop.
    pub async fn progress(&self, part: f32, note: &str) -> Result<()> {
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        // Skips a locked row: if a transaction of this attempt holds the lock, waiting for it would never end.
        let held = sqlx::query_scalar!(
            r#"
                with written as (
                    update queue.jobs set progress = $3, progress_note = $4
                    where id = (select id from queue.jobs where id = $1 and lock_at = $2 for no key update skip locked)
                )
                select exists (select from queue.jobs where id = $1 and lock_at = $2) as "held!"
            "#,
            self.job_id,
            self.since,
            part,
            note.replace('\0', ""),
        )
        .fetch_one(&self.pool)
        .await?;
        if held { Ok(()) } else { Err(Error::LeaseLost) }
    }

    /// The checkpoint that an earlier attempt saved last; `None` if there is none, or none that this version can read.
    #[must_use]
    pub fn checkpoint<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.checkpoint.as_ref()?).ok()
    }

    /// Saves something small for the next attempt, in case this one does not end. It is written in the caller's transaction, so
    /// that the checkpoint and the work that it describes commit together.
    pub async fn save_checkpoint<T: Serialize>(
        &self,
        db: &mut PgConnection,
        state: &T,
    ) -> Result<()> {
        let written = sqlx::query!(
            "update queue.jobs set checkpoint = $3 where id = $1 and lock_at = $2",
            self.job_id,
            self.since,
            serde_json::to_value(state)?,
        )
        .execute(db)
        .await?;
        if written.rows_affected() == 0 { Err(Error::LeaseLost) } else { Ok(()) }
    }
}

impl<Args: Sync> FromRequest<Task<Args>> for Lease {
    type Error = MissingDataError;

    async fn from_request(task: &Task<Args>) -> Result<Self, MissingDataError> {
        task.ctx().data().get_checked::<Self>().cloned()
    }
}

/// The claimed job, as an argument of a handler.
impl<Args: Sync> FromRequest<Task<Args>> for Claimed {
    type Error = MissingDataError;

    async fn from_request(task: &Task<Args>) -> Result<Self, MissingDataError> {
        let claimed = task.ctx().data().get_checked::<std::sync::Arc<Self>>();
        Ok(Self::clone(claimed?))
    }
}
