//! How a process runs jobs, and how those of one queue run.
use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{Postgres, Transaction};
use tracing::Span;

use crate::{Claimed, Outcome};
use apalis_core::error::BoxDynError;

/// How the jobs of one queue run.
#[derive(Clone)]
pub struct Options {
    pub queue: Cow<'static, str>,
    /// After so many attempts that failed by a fault of the job itself it is dead, or after those that it was enqueued with,
    /// whichever are fewer.
    pub max_attempts: u32,
    /// The longest pause between two of these; the first is 2 s, then 4 s, 8 s…
    pub max_backoff: Duration,
    /// A job that has met nothing but outages for so long is dead.
    pub outage_limit: Duration,
    /// An attempt that takes longer has failed.
    pub timeout: Duration,
    /// Attempts at once in this process, until operators decide otherwise ([`crate::admin::set_concurrency`]).
    pub concurrency: usize,
    /// The most at once, whatever operators decide.
    pub most_at_once: usize,
    /// What these jobs cannot do without: while its breaker is open they wait ([`crate::breaker`]).
    pub needs: Vec<Cow<'static, str>>,
    /// Called in the transaction in which a job dies.
    pub on_dead: Option<Hook>,
    /// Called after an attempt has ended whose job was not its any more, so that what it did outside the database can be undone.
    pub on_stale: Option<Hook>,
}

impl Options {
    /// 25 attempts, an hour between them at most, a day of outages, a minute each, four at once.
    #[must_use]
    pub fn new(queue: impl Into<Cow<'static, str>>) -> Self {
        Self {
            queue: queue.into(),
            max_attempts: 25,
            max_backoff: Duration::from_hours(1),
            outage_limit: Duration::from_hours(24),
            timeout: Duration::from_mins(1),
            concurrency: 4,
            most_at_once: 1000,
            needs: Vec::new(),
            on_dead: None,
            on_stale: None,
        }
    }

    pub(crate) fn needed(&self) -> Vec<String> {
        self.needs.iter().map(|need| need.clone().into_owned()).collect()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("queue", &self.queue).finish_non_exhaustive()
    }
}

/// What a hook is told of: a job as it was enqueued, and why it died or was lost.
#[derive(Debug, Clone)]
pub struct HookedJob {
    pub id: String,
    pub queue: String,
    pub payload: Vec<u8>,
    pub reason: String,
}

/// Writes in a transaction that it is given, and gives it back: what it wrote and the end of the job commit together. An error
/// rolls both back, and the job is tried again.
pub type Hook = Arc<
    dyn Fn(
            Transaction<'static, Postgres>,
            HookedJob,
        ) -> BoxFuture<'static, Result<Transaction<'static, Postgres>, BoxDynError>>
        + Send
        + Sync,
>;

/// How a process runs its jobs.
#[derive(Clone)]
pub struct Settings {
    /// Names this process among its replicas, dead ones too: two processes never share a name.
    pub name: String,
    /// A process that is not heard of for so long is dead, and others take up its jobs.
    pub silence: Duration,
    /// How long a job may wait that no notification announces: a retry, or one missed while reconnecting.
    pub poll: Duration,
    /// Jobs that run when the process is to stop get so long to end; others take up what does not.
    pub shutdown: Duration,
    /// Jobs that were done or cancelled are kept for so many days.
    pub kept_days: i32,
    /// What is written into the history of a job whose worker died.
    pub lost: Cow<'static, str>,
    pub observer: Arc<dyn Observer>,
}

impl Settings {
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            silence: Duration::from_secs(30),
            poll: Duration::from_millis(500),
            shutdown: Duration::from_secs(30),
            kept_days: 7,
            lost: Cow::Borrowed("its worker died"),
            observer: Arc::new(Nobody),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Sees what happens to jobs: for metrics and traces.
pub trait Observer: Send + Sync + 'static {
    /// The span of an attempt: whatever is logged of it says which.
    fn span(&self, job: &Claimed) -> Span {
        tracing::error_span!("job", job.id = job.id, job.type = job.queue, job.attempt = job.attempt)
    }

    fn begun(&self, _job: &Claimed) {}

    fn ended(&self, _job: &Claimed, _outcome: Outcome, _lasted: Duration) {}

    /// `count` jobs were taken from processes that died.
    fn rescued(&self, _queue: &str, _count: u64) {}

    /// A hook panicked, or failed for good: what the job was about was not told.
    fn hook_failed(&self, _queue: &str) {}
}

struct Nobody;

impl Observer for Nobody {}
