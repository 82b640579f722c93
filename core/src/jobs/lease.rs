//! The right of one attempt to write: it ends when the job is given to another worker, cancelled, or late.
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use crate::{Ctx, Error, Result, Tx};

/// One attempt of one job, as its handler sees it.
///
/// A worker may be frozen, or cut off from Postgres, for longer than others wait for it: they take its jobs over, and it
/// comes back and goes on. So whatever an attempt writes, it writes in a transaction of [`Lease::begin`].
#[derive(Debug, Clone)]
pub struct Lease {
    pub job_id: String,
    /// Counts from 1.
    pub attempt: i32,
    /// When the job was taken, by the database's clock: tells this attempt from every other one of the job.
    pub since: DateTime<Utc>,
    /// The time limit of the attempt: it is stopped then.
    pub deadline: Instant,
    /// Cancelled when the attempt is to come to an end: its job was cancelled or taken over, or the process stops. A handler
    /// that waits for something outside watches it. One that does not is dropped: a few seconds after its job was taken over
    /// or cancelled, or at the end of the time that a stop may take.
    pub cancel: CancellationToken,
}

impl Lease {
    #[must_use]
    pub fn new(job_id: String, attempt: i32, since: DateTime<Utc>, limit: Duration) -> Self {
        let cancel = CancellationToken::new();
        Self { job_id, attempt, since, deadline: Instant::now() + limit, cancel }
    }

    /// Begins a transaction that commits only what this attempt may still write: nobody takes the job over before its end.
    ///
    /// `LeaseLost`: the job is not this attempt's any more; nothing was changed.
    pub async fn begin(&self, ctx: &Ctx) -> Result<Tx<'static>> {
        let mut tx = ctx.begin().await?;
        // `for share` holds back the rescue, the cancellation and the end of this job until the commit.
        let held = sqlx::query_scalar!(
            r#"
                select true as "held!" from apalis.jobs
                where id = $1 and lock_at = $2 and status = 'Running'
                for share
            "#,
            self.job_id,
            self.since,
        )
        .fetch_optional(&mut *tx)
        .await?;
        match held {
            Some(_) => Ok(tx),
            None => Err(Error::LeaseLost),
        }
    }
}
