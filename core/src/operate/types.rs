//! Jobs and queues as their operators see them.
use apalis_hot::admin;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use ulid::Ulid;
use uuid::Uuid;

use super::programs::SILENT;
use crate::{
    enumeration, enumeration_field,
    input::{Input, Trimmed, Whole},
    page::{Columns, Page},
};

enumeration! {
    /// Where a job stands; drawn in `docs/jobs.md`.
    JobState {
        /// Due later.
        Scheduled = "scheduled",
        /// May be taken by any worker.
        Ready = "ready",
        /// Held by a worker.
        Running = "running",
        /// Failed, and waits for its next attempt.
        Retrying = "retrying",
        Done = "done",
        /// Given up.
        Dead = "dead",
        /// Called off by an operator.
        Cancelled = "cancelled",
    }
}
enumeration_field!(JobState);

impl JobState {
    /// The SQL condition of the rows of the view `taches` in this state, in terms that fit its indexes.
    pub(super) fn condition(self) -> &'static str {
        admin::State::from(self).condition()
    }
}

/// Maps the states of the queue's crate to ours and back, one to one.
macro_rules! same_states {
    ($($state:ident),+) => {
        impl From<JobState> for admin::State {
            fn from(state: JobState) -> Self {
                match state { $(JobState::$state => Self::$state),+ }
            }
        }

        impl From<admin::State> for JobState {
            fn from(state: admin::State) -> Self {
                match state { $(admin::State::$state => Self::$state),+ }
            }
        }
    };
}
same_states!(Scheduled, Ready, Running, Retrying, Done, Dead, Cancelled);

/// One attempt that ended. `outcome` is `done`, `retry`, `outage`, `snooze`, `dead`, `handed_back` (its worker stopped), `lost`
/// (its worker vanished), `cancelled`, or `redriven` (an operator had the job run again).
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct JobAttempt {
    pub attempt: i32,
    pub worker: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: DateTime<Utc>,
    pub outcome: String,
    pub error: Option<String>,
}

impl From<admin::Attempt> for JobAttempt {
    fn from(attempt: admin::Attempt) -> Self {
        let admin::Attempt { attempt, worker, started_at, ended_at, outcome, error } = attempt;
        Self { attempt, worker, started_at, ended_at, outcome, error }
    }
}

/// A job, in a list.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct JobOut {
    /// A ULID: later jobs have greater ids.
    pub id: String,
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub type_: String,
    pub state: JobState,
    /// Begun so far.
    pub attempts: i32,
    pub max_attempts: i32,
    /// Workers that vanished while they ran it.
    pub rescues: i32,
    pub created_at: DateTime<Utc>,
    /// When it is due, or was.
    pub run_at: DateTime<Utc>,
    /// Of the running attempt, or of the last.
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// The process that holds it.
    pub worker: Option<String>,
    /// What makes it one with other jobs of its type.
    pub key: Option<String>,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// How far it says it is, from 0 to 1, and what it does.
    pub progress: Option<f32>,
    pub progress_note: Option<String>,
}

/// A job with what it is about and what became of its attempts.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct JobDetail {
    #[serde(flatten)]
    pub job: JobOut,
    /// As it was enqueued; text when it is no JSON.
    pub payload: Value,
    /// Oldest first, the last hundred.
    pub history: Vec<JobAttempt>,
}

impl From<admin::Job> for JobDetail {
    fn from(job: admin::Job) -> Self {
        let history = job.history().into_iter().map(JobAttempt::from).collect();
        let payload = serde_json::from_slice(&job.payload)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&job.payload).into_owned()));
        let request_id = job.metadata.as_ref().and_then(|all| all["request_id"].as_str());
        let request_id = request_id.map(str::to_owned);
        // The last worker of an ended job is in the history.
        let worker = if job.ended_at.is_none() { job.worker } else { None };
        let job = JobOut {
            id: job.id,
            type_: job.queue,
            state: job.state.into(),
            attempts: job.attempts,
            max_attempts: job.max_attempts,
            rescues: job.rescues,
            created_at: job.created_at,
            run_at: job.run_at,
            started_at: job.started_at,
            finished_at: job.ended_at,
            worker,
            key: job.key,
            request_id,
            error: job.error,
            progress: job.progress,
            progress_note: job.progress_note,
        };
        Self { job, payload, history }
    }
}

/// Which jobs a list shows, or an action changes.
#[derive(Debug, Clone, Serialize, Input)]
pub struct JobFilter {
    #[serde(rename = "type")]
    #[input(as = Trimmed<200>)]
    pub type_: Option<String>,
    pub state: Option<JobState>,
    /// Part of the error of the last attempt; a job that succeeded has none.
    #[input(as = Trimmed<500>)]
    pub error: Option<String>,
    /// A [`DeadGroup::alike`]: dead jobs that failed alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[input(as = Trimmed<32>)]
    pub error_alike: Option<String>,
    /// The request that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Uuid>,
    /// What makes it one with other jobs of its type. Known for seven days after the job was enqueued.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[input(as = Trimmed<200>)]
    pub key: Option<String>,
    pub created_from: Option<DateTime<Utc>>,
    pub created_to: Option<DateTime<Utc>>,
}

impl JobFilter {
    /// Whether it has no criterion, and so means every job.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { type_, state, error, error_alike, request_id, key, created_from, created_to } =
            self;
        type_.is_none()
            && state.is_none()
            && error.is_none()
            && error_alike.is_none()
            && request_id.is_none()
            && key.is_none()
            && created_from.is_none()
            && created_to.is_none()
    }

    /// The least id for `created_from` and the greatest one for `created_to`: an id begins with its time in milliseconds.
    pub(super) fn ids(&self) -> (Option<String>, Option<String>) {
        let ms = |t: DateTime<Utc>| u64::try_from(t.timestamp_millis()).unwrap_or(0);
        (
            self.created_from.map(|t| Ulid::from_parts(ms(t), 0).to_string()),
            self.created_to.map(|t| Ulid::from_parts(ms(t), u128::MAX).to_string()),
        )
    }
}

/// Dead jobs of one type that failed alike: their errors differ in numbers and ids only.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct DeadGroup {
    #[sqlx(rename = "type")]
    pub type_: String,
    /// The first 300 characters of the error, with `#` for each number and id.
    pub error: String,
    /// What the errors have in common, as a hash, to filter by: texts change on their way through a form.
    pub alike: String,
    pub count: i64,
    /// When the first of them died, and the last.
    pub first_seen: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
}

/// A page of jobs.
#[derive(Debug, Clone, Input)]
pub struct JobList {
    #[input(flatten)]
    pub filter: JobFilter,
    #[input(page = &["id"])]
    pub page: Page,
}

/// A request to change all jobs of a filter.
#[derive(Debug, Clone, Input)]
pub struct JobBulk {
    #[input(flatten)]
    pub filter: JobFilter,
    /// Only count them.
    #[input(or = false)]
    pub preview: bool,
}

/// What was done to the jobs of a filter.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct BulkOut {
    /// Jobs that were changed; with `preview`, that would be (counted up to 10 000).
    pub count: i64,
    /// There are more: send the same again.
    pub more: bool,
    /// Why the last attempt of the first of them had failed.
    #[serde(skip)]
    pub error: Option<String>,
}

/// A queue: the jobs of one type. Counts end at 10 000.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct QueueOut {
    pub name: String,
    pub paused: bool,
    pub paused_at: Option<DateTime<Utc>>,
    /// Username.
    pub paused_by: Option<String>,
    /// Attempts at once in each process, by order of an operator; null: as many as its program says.
    pub concurrency: Option<i32>,
    pub ready: i64,
    pub scheduled: i64,
    pub retrying: i64,
    pub running: i64,
    pub dead: i64,
    /// Of the job that has been ready the longest; null when none is.
    pub oldest_ready_seconds: Option<f64>,
}

/// How many jobs of a queue each process runs at once.
#[derive(Debug, Clone, Serialize, Input)]
pub struct QueueConcurrency {
    /// Null: as many as its program says.
    #[input(as = Whole<1, 1000>)]
    pub concurrency: Option<i32>,
}

/// A worker process that has been heard of.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct WorkerOut {
    pub id: String,
    pub queues: Vec<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub last_seen: DateTime<Utc>,
    /// Jobs that it runs.
    pub running: i64,
}

impl WorkerOut {
    /// Whether it was heard of lately.
    #[must_use]
    pub fn lives(&self, now: DateTime<Utc>) -> bool {
        now - self.last_seen <= SILENT
    }

    /// Whether it lives, and takes the jobs of `queue`.
    #[must_use]
    pub fn serves(&self, queue: &str, now: DateTime<Utc>) -> bool {
        self.lives(now) && self.queues.iter().any(|one| one == queue)
    }
}
