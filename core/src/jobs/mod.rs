//! Declares a job, and enqueues it in the caller's transaction. What happens to it then: `docs/jobs.md`.
mod dependency;
mod lease;
mod scheduled;
#[cfg(test)]
mod tables;

use std::{future::ready, time::Duration};

use apalis_hot::NewJob;
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

pub use dependency::Dependency;
pub use lease::Lease;
pub(crate) use scheduled::scheduled;

use crate::{Result, Tx, telemetry};

/// A job's payload: ids and scalars, never a row. It is a stored format: what is enqueued today is run by next month's code, so
/// new fields must be optional.
pub trait Job: Serialize + DeserializeOwned + Clone + Send + Sync + Unpin + 'static {
    const QUEUE: &'static str;
    /// After so many attempts that failed by a fault of the job itself, the job is dead. Attempts that met an outage do not
    /// count.
    const MAX_ATTEMPTS: usize = 8;
    /// When the job has met nothing but outages (mail server, storage, database) for so long, it is dead.
    const OUTAGE_LIMIT: Duration = Duration::from_hours(24);
    /// The outside services that the job needs: while one of them is known to be unavailable, the job waits in its queue
    /// ([`apalis_hot::breaker`]).
    const NEEDS: &[Dependency] = &[];
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// Attempts that run at once in one process.
    const CONCURRENCY: usize = 4;
    /// The most attempts that run at once in one process, whatever `WORKER_CONCURRENCY` says.
    const MOST_AT_ONCE: usize = usize::MAX;
    /// The longest pause between two attempts that failed by a fault of the job itself.
    const MAX_BACKOFF: Duration = Duration::from_hours(1);

    /// Jobs of one queue with the same key are one job: while the first is alive, and for seven days after it was enqueued, no
    /// other is added.
    fn key(&self) -> Option<String> {
        None
    }

    /// Tells the business that this job will not be done: it is dead, or was cancelled.
    fn abandon(
        &self,
        _tx: &mut Tx<'_>,
        _reason: &str,
        _now: DateTime<Utc>,
    ) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Undoes what a stale attempt may have done outside the database. An attempt is stale when its job was claimed by another
    /// worker, done or cancelled while it went on. Called at least once for each stale attempt whose process is alive, after
    /// the attempt has ended. What the attempt did may still be right, so an implementation must look at what the database says
    /// now.
    fn undo(&self, _tx: &mut Tx<'_>) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Tells the business that this job, once abandoned, will be run after all.
    fn revive(&self, _tx: &mut Tx<'_>) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
}

/// The result of a handler that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Not now: run again after this pause, at the cost of no attempt.
    Snooze(Duration),
}

impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self::Done
    }
}

/// The cause of what is done in a transaction: the id of the request, which the jobs that follow from it carry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cause(pub Option<Uuid>);

tokio::task_local! {
    /// The request that the current task serves. Set by the API for a request, and by the worker for an attempt; read by
    /// [`enqueue`].
    pub static CAUSE: Cause;
}

/// The id of the request that caused the current work, if there is one.
pub(crate) fn cause() -> Option<Uuid> {
    CAUSE.try_with(|Cause(id)| *id).ok().flatten()
}

/// Enqueues `job`: it exists if, and only if, `tx` commits. If its key is taken, nothing is added.
pub async fn enqueue<J: Job>(tx: &mut Tx<'_>, job: &J) -> Result<()> {
    enqueue_in(tx, job, Duration::ZERO).await
}

/// The same for a job that may not run before `delay` has passed.
pub async fn enqueue_in<J: Job>(tx: &mut Tx<'_>, job: &J, delay: Duration) -> Result<()> {
    apalis_hot::enqueue(tx, &new_job(job, delay)?).await?;
    tx.announce(J::QUEUE);
    Ok(())
}

/// `job` in the form that the queue takes, with the request and the trace that it follows from.
pub(crate) fn new_job<J: Job>(job: &J, delay: Duration) -> Result<NewJob, apalis_hot::Error> {
    let about = [
        ("request_id", cause().map(|id| id.to_string())),
        ("traceparent", telemetry::traceparent()),
    ];
    Ok(NewJob {
        max_attempts: u32::try_from(J::MAX_ATTEMPTS).unwrap_or(u32::MAX),
        delay,
        key: job.key(),
        metadata: about
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
        ..NewJob::new(J::QUEUE, job)?
    })
}

/// The longest pause between two attempts while an outside service is unavailable.
pub const OUTAGE_BACKOFF: Duration = Duration::from_mins(1);

/// The longest pause between two attempts while an outside service asks to retry later.
pub const DEFERRED_BACKOFF: Duration = Duration::from_mins(5);
