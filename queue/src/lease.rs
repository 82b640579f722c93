//! The right of one attempt to write: it ends when the job is given to another worker, cancelled, or late.
use std::time::{Duration, Instant};

use apalis_core::task::{Task, data::MissingDataError, from_request::FromRequest};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio_util::sync::CancellationToken;

use crate::{Claimed, Error, Result};

/// One attempt of one job, as its handler sees it: an argument of the handler.
///
/// A worker may be frozen, or cut off from Postgres, for longer than others wait for it: they take its jobs over, and it
/// comes back and goes on. So whatever an attempt writes, it writes in a transaction that holds its lease.
#[derive(Debug, Clone)]
pub struct Lease {
    pub job_id: String,
    /// Counts from 1.
    pub attempt: i32,
    /// When the job was claimed, by the database's clock: tells this attempt from every other one of the job.
    pub since: DateTime<Utc>,
    /// The time limit of the attempt: it is stopped then.
    pub deadline: Instant,
    /// Cancelled when the attempt is to come to an end: its job was cancelled or taken over, or the process stops. A handler
    /// that waits for something outside watches it. One that does not is dropped: a few seconds after its job was taken over
    /// or cancelled, or at the end of the time that a stop may take.
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

    /// Begins a transaction that commits only what this attempt may still write: nobody takes the job over before its end.
    /// `LeaseLost`: the job is not this attempt's any more.
    pub async fn begin(&self) -> Result<Transaction<'static, Postgres>> {
        let mut tx = self.pool.begin().await?;
        self.hold(&mut tx).await?;
        Ok(tx)
    }

    /// The same for a transaction that has begun: it holds back the rescue, the cancellation and the end of this job until it
    /// ends.
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

    /// Says how far the work is, from 0 to 1 (what lies beyond is cut off), and what it does. Whoever looks at the job sees
    /// it. Said while a transaction of this attempt is open it is left out. `LeaseLost` is a reason to stop.
    pub async fn progress(&self, part: f32, note: &str) -> Result<()> {
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        // Not while a transaction of this attempt holds the row: that would wait for itself.
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

    /// What the last attempt that saved something has left; `None`: nothing, or nothing that this version understands.
    #[must_use]
    pub fn checkpoint<T: DeserializeOwned>(&self) -> Option<T> {
        T::deserialize(self.checkpoint.as_ref()?).ok()
    }

    /// Leaves something small for the next attempt, should this one not come to its end. In the caller's transaction: what it
    /// says has been done, and what was done, are there together.
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

/// What was claimed, as an argument of a handler.
impl<Args: Sync> FromRequest<Task<Args>> for Claimed {
    type Error = MissingDataError;

    async fn from_request(task: &Task<Args>) -> Result<Self, MissingDataError> {
        let claimed = task.ctx().data().get_checked::<std::sync::Arc<Self>>();
        Ok(Self::clone(claimed?))
    }
}
