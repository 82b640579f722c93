//! Everything that can go wrong, by kind: the API maps a kind to a status once (`api/src/error.rs`),
//! the worker to "again" or "never" once (`worker/src/runner/errors.rs`).
use crate::{Text, input::Fault, version::Difference};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be missing. Each noun of the business says of itself, in its own module, `impl Noun { pub const CLIENT: Self = … }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noun {
    code: &'static str,
    fr: &'static str,
    en: &'static str,
}

impl Noun {
    /// The stable code of its absence (`client_introuvable`), and the sentence in both languages.
    #[must_use]
    pub const fn new(code: &'static str, fr: &'static str, en: &'static str) -> Self {
        Self { code, fr, en }
    }

    fn not_found(self) -> Text {
        Text::new(self.fr, self.en)
    }

    /// The stable code of its absence.
    #[must_use]
    pub fn not_found_code(self) -> &'static str {
        self.code
    }
}

/// Why an operation did not happen. Whatever the kind, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.not_found())]
    NotFound(Noun),
    /// No identity, or a wrong one.
    #[error("{text}")]
    Unauthenticated { code: &'static str, text: Text },
    /// A known identity that may not.
    #[error("{text}")]
    Forbidden { code: &'static str, text: Text },
    /// Refused by a rule whose status the contract fixes at 400.
    #[error("{text}")]
    Refused { code: &'static str, text: Text },
    /// In conflict with the present state.
    #[error("{text}")]
    Conflict { code: &'static str, text: Text },
    /// An edit of another version than the present one, `version`: the fields that it would change.
    #[error("la ligne en est à la version {version}")]
    Stale { version: i64, differences: Vec<Difference> },
    /// More bytes than allowed.
    #[error("{text}")]
    TooLarge { code: &'static str, text: Text },
    /// A type of file or of body that is not accepted.
    #[error("{text}")]
    Unsupported { code: &'static str, text: Text },
    /// Input at fault: every fault of it.
    #[error("données invalides : {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ; "))]
    Invalid(Vec<Fault>),
    #[error("{text}")]
    TooMany { code: &'static str, text: Text, retry_after_seconds: u64 },
    /// Something outside does not answer now (database, storage, SMTP) and may later.
    #[error("{what} indisponible : {source:#}")]
    Unavailable { what: &'static str, source: anyhow::Error },
    /// Something outside asks to come later with this one thing, and is well otherwise (a mailbox that is full, greylisting).
    #[error("différé : {0}")]
    Deferred(String),
    /// The job belongs to another attempt by now, or was cancelled: this one may not write any more.
    #[error("la tâche n'appartient plus à cette tentative")]
    LeaseLost,
    /// A fault of ours.
    #[error("erreur interne : {0:#}")]
    Internal(anyhow::Error),
}

impl Error {
    #[must_use]
    pub fn unavailable(what: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::Unavailable { what, source: source.into() }
    }

    #[must_use]
    pub fn conflict(code: &'static str, fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Conflict { code, text: Text::new(fr, en) }
    }

    #[must_use]
    pub fn refused(code: &'static str, fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Refused { code, text: Text::new(fr, en) }
    }

    /// The roles do not allow it.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::Forbidden {
            code: "action_interdite",
            text: Text::new(
                "Votre rôle ne permet pas cette action.",
                "Your role does not allow this action.",
            ),
        }
    }

    /// The sentence for its reader, where there is one: faults of input have several, internal errors none.
    #[must_use]
    pub fn text(&self) -> Option<Text> {
        match self {
            Self::NotFound(noun) => Some(noun.not_found()),
            Self::Unauthenticated { text, .. }
            | Self::Forbidden { text, .. }
            | Self::Refused { text, .. }
            | Self::Conflict { text, .. }
            | Self::TooLarge { text, .. }
            | Self::Unsupported { text, .. }
            | Self::TooMany { text, .. } => Some(text.clone()),
            Self::Stale { .. } => Some(Text::new(
                "Quelqu'un a modifié cette fiche entre-temps : comparez les champs qui diffèrent, puis renvoyez votre demande.",
                "Somebody else has changed this meanwhile: compare the fields that differ, then send your request again.",
            )),
            Self::Invalid(_)
            | Self::Unavailable { .. }
            | Self::Deferred(_)
            | Self::LeaseLost
            | Self::Internal(_) => None,
        }
    }

    /// Whether something outside does not answer at the moment. Of the database: [`is_away`].
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether doing the same thing later may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Deferred(_) | Self::Internal(_) | Self::TooMany { .. }
        )
    }
}

impl From<apalis_hot::Error> for Error {
    fn from(error: apalis_hot::Error) -> Self {
        match error {
            apalis_hot::Error::Database(error) => error.into(),
            apalis_hot::Error::LeaseLost => Self::LeaseLost,
            other => Self::Internal(other.into()),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_away(&error) {
            Self::unavailable("base de données", error)
        } else {
            Self::Internal(error.into())
        }
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// Whether `error` says that the database is away, or cannot serve now: doing the same thing later may succeed, and nothing
/// about the statement itself is at fault. The one place that decides it; what is away costs time, not attempts.
///
/// By [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html), a class where all of it passes by itself:
///
/// | Code | |
/// |---|---|
/// | `08` | the connection failed |
/// | `25006` | read only: a standby, or the primary of before a failover |
/// | `25P03`, `25P04` | the session was ended: a transaction was idle, or open, for too long |
/// | `40` | a deadlock, or a serialization failure: somebody else went first |
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
        // An answer that does not fit: the connection broke in the middle of one.
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

/// Lets the database refuse: a violated constraint, by its name, becomes an error of the business.
pub trait OnConstraint<T> {
    /// Replaces the violation of constraint `name` by `error()`; any other error stays what it is.
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T>;
}

impl<T, E: Into<Error> + ConstraintName> OnConstraint<T> for std::result::Result<T, E> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|e| if e.constraint_name() == Some(name) { error() } else { e.into() })
    }
}

/// The name of the constraint that an error tells of, if it tells of one.
pub trait ConstraintName {
    fn constraint_name(&self) -> Option<&str>;
}

impl ConstraintName for sqlx::Error {
    fn constraint_name(&self) -> Option<&str> {
        self.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
    }
}

/// So that several constraints can be named one after the other.
impl ConstraintName for Error {
    fn constraint_name(&self) -> Option<&str> {
        match self {
            Self::Internal(e) => {
                e.downcast_ref::<sqlx::Error>().and_then(ConstraintName::constraint_name)
            }
            _ => None,
        }
    }
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
            assert!(Error::from(error).is_unavailable());
        }
        assert!(!Error::from(sqlx::Error::RowNotFound).is_unavailable());
    }
}
