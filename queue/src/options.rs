//! The settings of a process, the options of a queue, and the hooks and the observer that the application provides.
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
    /// A job is dead after this many attempts that failed by a fault of its own, or after the number that it was enqueued with,
    /// whichever is lower.
    pub max_attempts: u32,
    /// The longest pause after such a failure; the first pause is 2 s, then 4 s, 8 s…
    pub max_backoff: Duration,
    /// A job whose attempts have met nothing but outages for this long is dead.
    pub outage_limit: Duration,
    /// An attempt that takes longer has failed.
    pub timeout: Duration,
    /// Attempts at once in this process, until operators decide otherwise ([`crate::admin::set_concurrency`]).
    pub concurrency: usize,
    /// The upper limit of `concurrency`, whatever operators set.
    pub most_at_once: usize,
    /// The services that these jobs need: while the breaker of one is open the jobs wait ([`crate::breaker`]).
    pub needs: Vec<Cow<'static, str>>,
    /// Called in the transaction that records the death of a job.
    pub on_dead: Option<Hook>,
    /// Called after the end of an attempt that had lost its job, so that what it did outside the database can be undone.
    pub on_stale: Option<Hook>,
}

impl Options {
    /// Defaults: 25 attempts, pauses of an hour at most, a day of outages, a minute for each attempt, four at once.
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

/// What a hook is given: the job as it was enqueued, and the error of its last attempt (empty if there was none).
#[derive(Debug, Clone)]
pub struct HookedJob {
    pub id: String,
    pub queue: String,
    pub payload: Vec<u8>,
    pub reason: String,
}

/// Writes in the transaction that it is given, and returns it. With [`Options::on_dead`] its writes and the death of the job
/// commit together; an error rolls both back, and the job is tried again. With [`Options::on_stale`] an error is only logged.
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
    /// The name of this process: unique among all processes, dead ones included.
    pub name: String,
    /// A process without a heartbeat for this long is taken for dead, and others take over its jobs.
    pub silence: Duration,
    /// The interval of polling, for jobs that no notification announces: retries, and jobs missed while reconnecting.
    pub poll: Duration,
    /// How long a stop may take. Running jobs get 80 % of it to end; those that do not end are handed back to other processes.
    pub shutdown: Duration,
    /// How many days done and cancelled jobs are kept.
    pub kept_days: i32,
    /// The error that is recorded for a job whose worker died.
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

/// Is told what happens to jobs, for metrics and traces.
pub trait Observer: Send + Sync + 'static {
    /// The tracing span of an attempt: all that is logged in it carries the job's id, type and attempt.
    fn span(&self, job: &Claimed) -> Span {
        tracing::error_span!("job", job.id = job.id, job.type = job.queue, job.attempt = job.attempt)
    }

    fn begun(&self, _job: &Claimed) {}

    fn ended(&self, _job: &Claimed, _outcome: Outcome, _lasted: Duration) {}

    /// `count` jobs were taken from processes that died.
    fn rescued(&self, _queue: &str, _count: u64) {}

    /// A hook panicked, or failed and is not tried again: the application was not told of the job.
    fn hook_failed(&self, _queue: &str) {}
}

struct Nobody;

impl Observer for Nobody {}
