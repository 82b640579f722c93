//! What can go wrong here, and what a handler says by an error.
use std::{borrow::Cow, fmt, time::Duration};

use apalis_core::error::BoxDynError;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the queue could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the database of the queue: {0}")]
    Database(#[from] sqlx::Error),
    #[error("a payload, result or checkpoint is no JSON of its type: {0}")]
    Json(#[from] serde_json::Error),
    /// The job of this attempt was given to another worker, cancelled, or ended: nothing was changed.
    #[error("the lease of this attempt is lost")]
    LeaseLost,
    /// No job or batch of this id, no schedule of this name.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A batch that is closed takes no more jobs.
    #[error("the batch is closed")]
    Closed,
    /// A schedule that would never come due is not enabled.
    #[error("no date fits this schedule")]
    NoDate,
    /// What the application says of a schedule that it cannot follow.
    #[error("the schedule: {0}")]
    Schedule(BoxDynError),
}

impl Error {
    /// Whether the database is away, or busy beyond its limits: the same may succeed later.
    #[must_use]
    pub fn is_away(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            // Connection exceptions, resources, the operator's interventions, deadlocks and serialization, locks.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                ["08", "40", "53", "55P03", "57", "58"].iter().any(|class| code.starts_with(class))
            }),
            _ => false,
        }
    }
}

/// What a handler returns when something outside is away. It costs time and no attempt: the job comes back after a pause, until
/// it has met nothing but outages for [`crate::Options::outage_limit`].
#[derive(Debug)]
pub struct Outage {
    /// The dependency that is away, of those in [`crate::Options::needs`]: its breaker counts this.
    pub dependency: Option<Cow<'static, str>>,
    /// The longest pause before the next attempt.
    pub longest_pause: Duration,
    pub source: BoxDynError,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl std::error::Error for Outage {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.source()
    }
}

/// What a handler returns that must not go on: its job is another's. Nothing is recorded of the attempt.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the job belongs to another attempt")]
pub struct Stale;

/// An error and what led to it, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many types print their source themselves.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
