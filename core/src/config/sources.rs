//! Where each setting came from, for `check-config`, and for programs that replace a secret in its file.
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// What gave a setting its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nothing: the default applies.
    Default,
    Environment,
    /// `.env` of the working directory.
    DotEnv,
    /// The file that `<NAME>_FILE` names.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("par défaut"),
            Self::Environment => f.write_str("environnement"),
            Self::DotEnv => f.write_str(".env"),
            Self::File(path) => write!(f, "fichier {}", path.display()),
        }
    }
}

/// Every setting that was read: its source, and what may be shown of it, which is never a secret.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<&'static str, (Source, String)>);

impl Sources {
    pub(super) fn note(&mut self, name: &'static str, source: Source, shown: impl Into<String>) {
        self.0.insert(name, (source, shown.into()));
    }

    /// The file that gives `name` its value.
    #[must_use]
    pub fn file_of(&self, name: &str) -> Option<&Path> {
        match self.0.get(name) {
            Some((Source::File(path), _)) => Some(path),
            _ => None,
        }
    }

    /// Whether `name` was given, and not left to its default.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|(source, _)| *source != Source::Default)
    }

    /// How many were given, and not left to their defaults.
    #[must_use]
    pub fn given(&self) -> usize {
        self.0.values().filter(|(source, _)| *source != Source::Default).count()
    }
}

/// One line each: `SMTP_PORT = 587   (environnement)`.
impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, (source, shown)) in &self.0 {
            match source {
                Source::Default => writeln!(f, "{name:<28} ({source})")?,
                _ => writeln!(f, "{name:<28} = {shown}   ({source})")?,
            }
        }
        Ok(())
    }
}
