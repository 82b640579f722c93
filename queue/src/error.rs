//! The errors of the queue, and the errors by which a handler decides what becomes of its job.
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
    /// A schedule is not enabled if it would never come due.
    #[error("no date fits this schedule")]
    NoDate,
    /// An error of the application's [`crate::schedules::Scheduled`].
    #[error("the schedule: {0}")]
    Schedule(BoxDynError),
}

impl Error {
    /// Whether the database is unreachable, or busy beyond its limits (deadlocks and lock timeouts included): a retry may
    /// succeed.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Database(error) if is_away(error))
    }

    /// Whether the server ended the statement, which took longer than `statement_timeout`.
    pub(crate) fn is_canceled(&self) -> bool {
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().as_deref() == Some("57014")
    }
}

/// Whether `error` means that the database is unreachable, or cannot serve now: the statement itself is not at fault, and a
/// retry may succeed. Such an outage costs a job time, not attempts.
///
/// By [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html); a whole class where all its errors pass by
/// themselves:
///
/// | Code | |
/// |---|---|
/// | `08` | the connection failed |
/// | `25006` | read only: a standby, or the former primary after a failover |
/// | `25P03`, `25P04` | the session was ended: a transaction was idle, or open, for too long |
/// | `40` | a deadlock, or a serialization failure: a concurrent transaction went first |
/// | `53` | no connection left (`53300`), the disk or the memory full |
/// | `55P03` | a lock was not available within `lock_timeout` |
/// | `57014` | canceled: `statement_timeout`, or an administrator |
/// | `57P` | shut down, crashed, or starting up |
/// | `58` | the server's own disk or system failed |
#[must_use]
pub fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        // A malformed response: the connection broke in the middle of it.
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(e) => e.code().is_some_and(|code| is_away_code(&code)),
        _ => false,
    }
}

fn is_away_code(code: &str) -> bool {
    const CLASSES: [&str; 5] = ["08", "40", "53", "57P", "58"];
    const CODES: [&str; 5] = ["25006", "25P03", "25P04", "55P03", "57014"];
    CLASSES.iter().any(|class| code.starts_with(class)) || CODES.contains(&code)
}

/// What a handler returns when something outside is away. It costs time and no attempt: the job comes back after a pause, until
/// it has met nothing but outages for [`crate::Options::outage_limit`].
#[derive(Debug)]
pub struct Outage {
    /// The unavailable service, one of [`crate::Options::needs`]: its breaker counts this failure.
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

/// What a handler returns when its job belongs to another attempt. Nothing is recorded of this attempt.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the job belongs to another attempt")]
pub struct Stale;

/// An error and its sources, in one line.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_away_and_a_fault_of_ours_is_not() {
        for code in [
            "08006", "25006", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01",
            "57P03", "58030",
        ] {
            assert!(is_away_code(code), "{code}");
        }
        // A constraint, a syntax error, a table that is not there, a transaction that has failed before, a wrong password.
        for code in ["23505", "42601", "42P01", "25P02", "22P02", "55000", "P0001", "28P01"] {
            assert!(!is_away_code(code), "{code}");
        }
        for error in [
            sqlx::Error::PoolTimedOut,
            sqlx::Error::Protocol("unexpected message".to_owned()),
            sqlx::Error::Io(std::io::ErrorKind::UnexpectedEof.into()),
        ] {
            assert!(is_away(&error), "{error}");
        }
        assert!(!is_away(&sqlx::Error::RowNotFound));
    }
}
