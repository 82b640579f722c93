//! Reading variables, and collecting what is wrong with them.
use std::{collections::HashMap, str::FromStr};

/// One variable that stops start-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    pub name: &'static str,
    pub fault: String,
    pub example: &'static str,
}

impl std::fmt::Display for SettingFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} : {} (exemple : {}={})", self.name, self.fault, self.name, self.example)
    }
}

/// A value that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for whoever must use it.
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

/// A set of variables, and the faults found in them so far. An empty variable counts as unset.
#[derive(Debug)]
pub struct Env {
    values: HashMap<String, String>,
    faults: Vec<SettingFault>,
}

impl Env {
    /// The variables of this process.
    #[must_use]
    pub fn process() -> Self {
        Self { values: std::env::vars().collect(), faults: Vec::new() }
    }

    #[must_use]
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let values = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Self { values, faults: Vec::new() }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|v| v.trim()).filter(|v| !v.is_empty()).map(ToOwned::to_owned)
    }

    pub(super) fn fault(
        &mut self,
        name: &'static str,
        fault: impl Into<String>,
        example: &'static str,
    ) {
        self.faults.push(SettingFault { name, fault: fault.into(), example });
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

    /// One of the named values, in any case.
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

    pub(super) fn finish(self) -> Result<(), Vec<SettingFault>> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}
