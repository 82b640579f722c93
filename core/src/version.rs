//! Edits that name the version of the row that they were made from: a change by somebody else since then is detected, and not
//! overwritten.
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::Serialize;
use serde_json::Value;

use crate::{Error, Result};

/// A row that people edit. A trigger raises its version whenever something of it changes (`version_suivante` in the
/// migrations).
pub trait Versioned: Serialize {
    /// 1 for a new row.
    fn version(&self) -> i64;
}

/// Makes types with a field `version` [`Versioned`].
#[macro_export]
macro_rules! versioned {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::version::Versioned for $type {
            fn version(&self) -> i64 {
                self.version
            }
        })+
    };
}

/// A field that an edit would change, and somebody else may have changed before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Difference {
    /// Its name.
    pub champ: String,
    /// What it is now; null for a secret.
    pub actuel: Value,
    /// What the edit would make of it; null for a secret.
    pub envoye: Value,
}

/// The versions that an edit may have been made from; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    versions: Option<Vec<i64>>,
    judged: Arc<AtomicBool>,
}

impl Condition {
    /// Accepts any version.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Accepts one of `versions`.
    #[must_use]
    pub fn one_of(versions: Vec<i64>) -> Self {
        Self { versions: Some(versions), ..Self::default() }
    }

    /// Returns `new`, the result of an edit of `old`, if the version of `old` is accepted; else [`Error::Stale`], and the
    /// transaction of the edit must not commit. `old` is read in that transaction, under the lock of its row. An edit that changes
    /// nothing is always accepted: most likely it is a retry, because the first response was lost.
    pub fn judge<T: Versioned>(&self, old: &T, new: T) -> Result<T> {
        self.judge_with(old, new, &[])
    }

    /// The same for an edit that also gives `secrets` new values, fields that the row does not show: such an edit changes something.
    /// The error names these fields, with null for both values.
    pub fn judge_with<T: Versioned>(&self, old: &T, new: T, secrets: &[&str]) -> Result<T> {
        self.judged.store(true, Ordering::Relaxed);
        let Some(versions) = &self.versions else { return Ok(new) };
        if versions.contains(&old.version()) {
            return Ok(new);
        }
        let mut differences = differences(&json(old)?, &json(&new)?);
        differences.extend(secrets.iter().map(|champ| Difference {
            champ: (*champ).to_owned(),
            actuel: Value::Null,
            envoye: Value::Null,
        }));
        if differences.is_empty() {
            return Ok(new);
        }
        Err(Error::Stale { version: old.version(), differences })
    }

    /// Whether an edit was judged by this condition or a clone of it.
    #[must_use]
    pub fn was_judged(&self) -> bool {
        self.judged.load(Ordering::Relaxed)
    }
}

fn json(row: &impl Serialize) -> Result<Value> {
    Ok(serde_json::to_value(row).map_err(anyhow::Error::from)?)
}

/// Fields that change with every edit.
const MARKS: [&str; 2] = ["version", "updated_at"];

fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let fields = new.as_object().into_iter().flatten();
    fields
        .filter(|(champ, envoye)| !MARKS.contains(&champ.as_str()) && old[champ] != **envoye)
        .map(|(champ, envoye)| Difference {
            champ: champ.clone(),
            actuel: old[champ].clone(),
            envoye: envoye.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize)]
    struct Row {
        nom: &'static str,
        ville: Option<&'static str>,
        version: i64,
    }
    versioned!(Row);

    #[test]
    fn an_edit_of_an_older_version_stands_only_if_it_changes_nothing() {
        let old = Row { nom: "Pompe", ville: None, version: 3 };
        let new = Row { nom: "Pompe", ville: Some("Safi"), version: 4 };
        for condition in [Condition::none(), Condition::one_of(vec![1, 3])] {
            assert!(!condition.was_judged());
            assert_eq!(condition.judge(&old, new.clone()).unwrap(), new);
            assert!(condition.was_judged());
        }
        let stale = Condition::one_of(vec![2]);
        let again = Row { version: 3, ..old.clone() };
        assert_eq!(stale.judge(&old, again.clone()).unwrap(), again);
        let Err(Error::Stale { version, differences }) = stale.judge(&old, new) else {
            panic!("it stands")
        };
        let ville =
            Difference { champ: "ville".to_owned(), actuel: Value::Null, envoye: json!("Safi") };
        assert_eq!((version, differences), (3, vec![ville]));
        // A secret that nobody is shown counts as a change, too.
        let Err(Error::Stale { differences, .. }) = stale.judge_with(&old, again, &["code"]) else {
            panic!("it stands")
        };
        let code =
            Difference { champ: "code".to_owned(), actuel: Value::Null, envoye: Value::Null };
        assert_eq!(differences, vec![code]);
        // No tag of the request was one of ours.
        assert!(Condition::one_of(vec![]).judge(&old, Row { nom: "", ..old.clone() }).is_err());
    }
}
