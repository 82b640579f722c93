//! The errors of the crate, by kind. Each kind is mapped in one place: to an HTTP status by the API (`api/src/error.rs`), and
//! to "retry" or "do not retry" by the worker (`worker/src/runner/errors.rs`).
mod code;

use crate::{Text, input::Fault, version::Difference};

pub use code::{Code, Codes, codes};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be missing. Each noun of the business says of itself, in its own module, `impl Noun { pub const CLIENT: Self = … }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noun {
    code: Code,
    fr: &'static str,
    en: &'static str,
}

impl Noun {
    /// The stable code of its absence (`client_introuvable`), and the sentence in both languages.
    #[must_use]
    pub const fn new(code: Code, fr: &'static str, en: &'static str) -> Self {
        Self { code, fr, en }
    }

    fn not_found(self) -> Text {
        Text::new(self.fr, self.en)
    }

    /// The stable code of its absence.
    #[must_use]
    pub fn not_found_code(self) -> Code {
        self.code
    }
}

/// Why an operation did not happen. Whatever the kind, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.not_found())]
    NotFound(Noun),
    /// No credentials, or invalid ones.
    #[error("{text}")]
    Unauthenticated { code: Code, text: Text },
    /// The identity is known, but is not allowed to do this.
    #[error("{text}")]
    Forbidden { code: Code, text: Text },
    /// Refused by a rule whose status the contract fixes at 400.
    #[error("{text}")]
    Refused { code: Code, text: Text },
    /// In conflict with the present state.
    #[error("{text}")]
    Conflict { code: Code, text: Text },
    /// An edit made from another version than the current one, which is `version`. `differences`: the fields that it would
    /// change.
    #[error("la ligne en est à la version {version}")]
    Stale { version: i64, differences: Vec<Difference> },
    /// More bytes than allowed.
    #[error("{text}")]
    TooLarge { code: Code, text: Text },
    /// A type of file or of body that is not accepted.
    #[error("{text}")]
    Unsupported { code: Code, text: Text },
    /// Invalid input, with all its faults.
    #[error("données invalides : {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ; "))]
    Invalid(Vec<Fault>),
    #[error("{text}")]
    TooMany { code: Code, text: Text, retry_after_seconds: u64 },
    /// An outside service (database, storage, SMTP) does not answer now. A retry may succeed.
    #[error("{what} indisponible : {source:#}")]
    Unavailable { what: &'static str, source: anyhow::Error },
    /// An outside service works, but asks to retry this one thing later (a full mailbox, greylisting).
    #[error("différé : {0}")]
    Deferred(String),
    /// The job was claimed by another attempt, or was cancelled: this attempt has lost its lease and may not write any more.
    #[error("la tâche n'appartient plus à cette tentative")]
    LeaseLost,
    /// An unexpected error: a fault of this program.
    #[error("erreur interne : {0:#}")]
    Internal(anyhow::Error),
}

impl Error {
    #[must_use]
    pub fn unavailable(what: &'static str, source: impl Into<anyhow::Error>) -> Self {
        Self::Unavailable { what, source: source.into() }
    }

    #[must_use]
    pub fn conflict(code: Code, fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Conflict { code, text: Text::new(fr, en) }
    }

    #[must_use]
    pub fn refused(code: Code, fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Refused { code, text: Text::new(fr, en) }
    }

    /// The error of an action that the user's role does not allow.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::Forbidden {
            code: Code::ActionInterdite,
            text: Text::new(
                "Votre rôle ne permet pas cette action.",
                "Your role does not allow this action.",
            ),
        }
    }

    /// The sentence for the user. `None` for invalid input, whose faults have one each, and for `Unavailable`, `Deferred`,
    /// `LeaseLost` and `Internal`, which have none.
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

    /// Whether an outside service does not answer now. For the database, [`apalis_hot::is_away`] decides it.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether a retry may succeed.
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
        if apalis_hot::is_away(&error) {
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

/// Maps the violation of a named constraint of the database to an error of the business.
pub trait OnConstraint<T> {
    /// Replaces the violation of constraint `name` by `error()`; any other error stays what it is.
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T>;
}

impl<T, E: Into<Error> + ConstraintName> OnConstraint<T> for std::result::Result<T, E> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|e| if e.constraint_name() == Some(name) { error() } else { e.into() })
    }
}

/// The name of the violated constraint that an error reports, if it reports one.
pub trait ConstraintName {
    fn constraint_name(&self) -> Option<&str>;
}

impl ConstraintName for sqlx::Error {
    fn constraint_name(&self) -> Option<&str> {
        self.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
    }
}

/// Lets calls of [`OnConstraint::on_constraint`] be chained, one for each constraint.
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
