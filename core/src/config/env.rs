//! Reads variables, and collects the faults in them.
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fs, io,
    str::FromStr,
};

use super::sources::{Source, Sources};

/// Secrets that may be given by file: `<NAME>_FILE` names a file whose trimmed content is the value. Everybody who may list
/// processes or inspect a container sees an environment; a file is seen only by those who may read it.
pub const BY_FILE: [&str; 8] = [
    "SECRET_KEY",
    "SECRET_KEY_PREVIOUS",
    "DATABASE_URL",
    "POSTGRES_PASSWORD",
    "SMTP_PASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "SENTRY_DSN",
    "OIDC_CLIENT_SECRET",
];

/// A variable whose fault prevents the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    pub name: Cow<'static, str>,
    pub fault: String,
    pub example: &'static str,
}

impl std::fmt::Display for SettingFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} : {} (exemple : {}={})", self.name, self.fault, self.name, self.example)
    }
}

/// A value that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// A setting whose fault has been recorded already.
#[derive(Debug)]
pub(super) struct Faulty;

/// A set of variables, and the faults found in them so far. An empty variable counts as unset.
#[derive(Debug)]
pub struct Env {
    values: HashMap<String, String>,
    /// The names of those that come from `.env`.
    dotenv: HashSet<String>,
    faults: Vec<SettingFault>,
    sources: Sources,
}

/// The fault of `.env`, whose lines are `lines` as far as they can be parsed; a missing file is none. The line at fault may be
/// a secret, so it is not repeated: the variable before it is named.
fn dotenv_fault(
    error: &dotenvy::Error,
    lines: impl Iterator<Item = dotenvy::Result<(String, String)>>,
) -> Option<SettingFault> {
    let fault = match error {
        error if error.not_found() => return None,
        dotenvy::Error::LineParse(..) => {
            let before = lines.map_while(Result::ok).last();
            let line = before.map_or_else(
                || "la première ligne".to_owned(),
                |(name, _)| format!("la ligne après « {name} »"),
            );
            format!("{line} ne se lit pas (une valeur avec des espaces veut des guillemets)")
        }
        dotenvy::Error::Io(error) => format!("ne se lit pas ({})", error.kind()),
        _ => "ne se lit pas".to_owned(),
    };
    Some(SettingFault { name: ".env".into(), fault, example: "\"ERP MIF Maroc\"" })
}

impl Env {
    /// The variables of this process, and those of `.env` in the working directory, which never override them.
    #[must_use]
    pub fn process() -> Self {
        let before: HashSet<String> = std::env::vars().map(|(name, _)| name).collect();
        let read = dotenvy::dotenv();
        let values: HashMap<_, _> = std::env::vars().collect();
        let dotenv = values.keys().filter(|name| !before.contains(*name)).cloned().collect();
        let mut env = Self { values, dotenv, faults: Vec::new(), sources: Sources::default() };
        let lines = dotenvy::dotenv_iter().into_iter().flatten();
        env.faults.extend(read.err().and_then(|error| dotenv_fault(&error, lines)));
        env
    }

    #[must_use]
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let (dotenv, faults) = (HashSet::new(), Vec::new());
        Self { values, dotenv, faults, sources: Sources::default() }
    }

    fn value(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|v| v.trim()).filter(|v| !v.is_empty()).map(ToOwned::to_owned)
    }

    fn source(&self, name: &str) -> Source {
        if self.dotenv.contains(name) { Source::DotEnv } else { Source::Environment }
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        let value = self.value(name);
        let source = if value.is_some() { self.source(name) } else { Source::Default };
        self.sources.note(name, source, value.clone().unwrap_or_default());
        value
    }

    /// A secret of [`BY_FILE`], from its variable or from the file that `<NAME>_FILE` names.
    pub(super) fn secret(&mut self, name: &'static str) -> Result<Option<String>, Faulty> {
        self.secret_where(name, |_| false)
    }

    /// The same for a secret that is optional: while its file is absent or empty there is none.
    pub(super) fn passing_secret(&mut self, name: &'static str) -> Result<Option<String>, Faulty> {
        self.secret_where(name, |content| match content {
            Ok(text) => text.trim().is_empty(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        })
    }

    fn secret_where(
        &mut self,
        name: &'static str,
        is_none: impl Fn(&io::Result<String>) -> bool,
    ) -> Result<Option<String>, Faulty> {
        const EXAMPLE: &str = "/run/secrets/nom";
        debug_assert!(BY_FILE.contains(&name), "{name} is not listed");
        let by_file = format!("{name}_FILE");
        let (given, file) = (self.value(name), self.value(&by_file));
        let Some(file) = file else {
            let source = if given.is_some() { self.source(name) } else { Source::Default };
            self.sources.note(name, source, "***");
            return Ok(given);
        };
        if given.is_some() {
            let fault = format!("est donnée deux fois, par {name} et par {by_file} : gardez l'une");
            self.fault(by_file, fault, EXAMPLE);
            return Err(Faulty);
        }
        let content = fs::read_to_string(&file);
        let none = is_none(&content);
        let shown = if none { "(aucune)" } else { "***" };
        self.sources.note(name, Source::File(file.clone().into()), shown);
        match content {
            _ if none => Ok(None),
            Ok(text) if text.trim().is_empty() => {
                self.fault(by_file, format!("le fichier « {file} » est vide"), EXAMPLE);
                Err(Faulty)
            }
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) => {
                let fault = format!("le fichier « {file} » ne se lit pas ({error})");
                self.fault(by_file, fault, EXAMPLE);
                Err(Faulty)
            }
        }
    }

    pub(super) fn fault(
        &mut self,
        name: impl Into<Cow<'static, str>>,
        fault: impl Into<String>,
        example: &'static str,
    ) {
        self.faults.push(SettingFault { name: name.into(), fault: fault.into(), example });
    }

    /// The parsed value, or `default` when unset; a value that does not parse or fit is a fault.
    pub(super) fn parse<T: FromStr>(
        &mut self,
        name: &'static str,
        default: T,
        fits: impl Fn(&T) -> bool,
        expected: &str,
        example: &'static str,
    ) -> T {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(value) if fits(&value) => value,
            _ => {
                self.fault(name, format!("« {text} » n'est pas {expected}"), example);
                default
            }
        }
    }

    /// One of the named values, in any case, or `default` when unset; any other value is a fault.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        name: &'static str,
        all: &'static [(&'static str, T)],
        default: T,
    ) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = all.iter().find(|(key, _)| key.eq_ignore_ascii_case(&text)) {
            return *value;
        }
        let known = all.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
        self.fault(name, format!("« {text} » est inconnu, les valeurs sont {known}"), all[0].0);
        default
    }

    /// Where each setting that was read came from, or the faults.
    pub(super) fn finish(self) -> Result<Sources, Vec<SettingFault>> {
        if self.faults.is_empty() { Ok(self.sources) } else { Err(self.faults) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_dotenv_that_cannot_be_read_is_found_and_not_repeated() {
        let said = |content: &str| {
            let lines = || dotenvy::from_read_iter(content.as_bytes());
            let error = lines().find_map(Result::err).unwrap();
            dotenv_fault(&error, lines()).unwrap().to_string()
        };
        let fault = said("A=1\nSMTP_PASSWORD=tres secret ici\nSECRET_KEY=x\n");
        assert!(fault.starts_with(".env : la ligne après « A »"), "{fault}");
        assert!(!fault.contains("secret"), "{fault}");
        assert!(said("B=deux mots ici\n").contains("la première ligne"));
        let absent = dotenvy::from_filename_iter("no-such-file").err().unwrap();
        assert!(dotenv_fault(&absent, std::iter::empty()).is_none(), "there need not be one");
    }
}
