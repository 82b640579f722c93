//! The outside services that jobs need.

/// An outside service that jobs need ([`super::Job::NEEDS`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dependency {
    /// The mail server.
    Smtp,
    /// The folder or the bucket of the files.
    Storage,
}

impl Dependency {
    pub const ALL: [Self; 2] = [Self::Smtp, Self::Storage];

    /// Its name in [`crate::Error::Unavailable`] and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Storage => "storage",
        }
    }
}
