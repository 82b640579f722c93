//! Declaring a job, and enqueueing it in the caller's transaction. What becomes of it then: `docs/jobs.md`.
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

/// A job's payload: ids and scalars, never a row, and a stored contract: what is enqueued today is run by next
/// month's code, so new fields are optional.
pub trait Job: Serialize + DeserializeOwned + Clone + Send + Sync + Unpin + 'static {
    const QUEUE: &'static str;
    /// After so many attempts that failed by a fault of the job itself it is dead. Those that met an outage do not count.
    const MAX_ATTEMPTS: usize = 8;
    /// When something outside (mail server, storage, database) has been away for so long, the job is dead.
    const OUTAGE_LIMIT: Duration = Duration::from_hours(24);
    /// What it cannot do without: while one of these is known to be away it waits in its queue ([`apalis_hot::breaker`]).
    const NEEDS: &[Dependency] = &[];
    /// An attempt that takes longer has failed.
    const TIMEOUT: Duration = Duration::from_mins(1);
    /// Attempts that run at once in one process.
    const CONCURRENCY: usize = 4;
    /// The most of these that a process runs at once, whatever `WORKER_CONCURRENCY` says.
    const MOST_AT_ONCE: usize = usize::MAX;
    /// The longest pause between two attempts that failed by a fault of the job itself.
    const MAX_BACKOFF: Duration = Duration::from_hours(1);

    /// Jobs of one queue with the same key are one job, as long as the row of the first is kept.
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

    /// Has undone what a stale attempt may have done outside the database: its job was given to another worker, done or
    /// cancelled, and it went on until it noticed. Called at least once for each such attempt whose process lives, after it
    /// has ended; what it did may be right all the same, so that this looks at what the database says now.
    fn undo(&self, _tx: &mut Tx<'_>) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }

    /// Tells the business that this job, once abandoned, is to be done after all.
    fn revive(&self, _tx: &mut Tx<'_>) -> impl Future<Output = Result<()>> + Send {
        ready(Ok(()))
    }
}

/// What a handler that did not fail has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Not now: again after this pause, at the cost of no attempt.
    Snooze(Duration),
}

impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self::Done
    }
}

/// Who causes what is done in a transaction: the id of the request, carried by the jobs that follow from it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cause(pub Option<Uuid>);

tokio::task_local! {
    /// The request that the current task serves. Set once by the API's layer, read by [`enqueue`].
    pub static CAUSE: Cause;
}

/// The request that is at the beginning of what happens now, if one is.
pub(crate) fn cause() -> Option<Uuid> {
    CAUSE.try_with(|Cause(id)| *id).ok().flatten()
}

/// Enqueues `job`: it exists if, and only if, `tx` commits. One whose key is there already is that one.
pub async fn enqueue<J: Job>(tx: &mut Tx<'_>, job: &J) -> Result<()> {
    enqueue_in(tx, job, Duration::ZERO).await
}

/// The same for a job that may not run before `delay` has passed.
pub async fn enqueue_in<J: Job>(tx: &mut Tx<'_>, job: &J, delay: Duration) -> Result<()> {
    apalis_hot::enqueue(tx, &new_job(job, delay)?).await?;
    tx.announce(J::QUEUE);
    Ok(())
}

/// `job` as the queue takes it.
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

/// The longest pause between two attempts while something outside is away.
pub const OUTAGE_BACKOFF: Duration = Duration::from_mins(1);

/// The longest pause between two attempts while something outside asks to come later.
pub const DEFERRED_BACKOFF: Duration = Duration::from_mins(5);
