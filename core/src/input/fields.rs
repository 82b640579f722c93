//! The fields of one request, whatever its encoding.
use serde_json::{Map, Value, json};

use super::{Described, Fault, Field, Input, Patch, Wrong, describe::or_empty};
use crate::{Error, Result};

/// Where a set of fields came from: the first element of every `loc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Body,
    Query,
    Path,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        }
    }
}

/// The fields of one request, and the faults found so far.
#[derive(Debug)]
pub struct Fields {
    source: Source,
    values: Map<String, Value>,
    /// Whether this is a form or a query: every value is text, and an empty one counts as absent, since that is what a browser
    /// sends for an empty input.
    source_is_text: bool,
    faults: Vec<Fault>,
    /// If present, no value is read: the fields that are asked for are recorded here. See [`super::describe()`].
    described: Option<Vec<Described>>,
}

impl Fields {
    /// The members of a JSON object.
    #[must_use]
    pub fn json(values: Map<String, Value>) -> Self {
        Self {
            source: Source::Body,
            values,
            source_is_text: false,
            faults: Vec::new(),
            described: None,
        }
    }

    /// The pairs of a form or a query; the last counts when a name is given twice.
    #[must_use]
    pub fn pairs(source: Source, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = pairs.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
        Self { source, values, source_is_text: true, faults: Vec::new(), described: None }
    }

    /// No values: only records which fields are asked for.
    pub(super) fn describing(source: Source) -> Self {
        let values = Map::new();
        Self {
            source,
            values,
            source_is_text: false,
            faults: Vec::new(),
            described: Some(Vec::new()),
        }
    }

    pub(super) fn described(self) -> Vec<Described> {
        self.described.unwrap_or_default()
    }

    /// Restricts the schema of the field described last to these texts. Does nothing unless fields are being described.
    pub fn limit_to(&mut self, texts: impl IntoIterator<Item = String>) {
        if let Some(last) = self.described.as_mut().and_then(|described| described.last_mut()) {
            let texts: Vec<String> = texts.into_iter().collect();
            last.schema = or_empty(json!({ "type": "string", "enum": texts }));
        }
    }

    /// Reads a `T`; the error has all the faults.
    pub fn parse<T: Input>(mut self) -> Result<T> {
        match T::read(&mut self) {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(self.into_error()),
        }
    }

    /// The error of the faults found so far.
    #[must_use]
    pub fn into_error(self) -> Error {
        Error::Invalid(self.faults)
    }

    /// Records a fault of field `name`.
    pub fn fault(&mut self, name: &str, wrong: Wrong) {
        let loc = vec![self.source.as_str().to_owned(), name.to_owned()];
        self.faults.push(Fault { loc, msg: wrong.msg, kind: wrong.kind });
    }

    /// The value of a field that must be present; `None` tells of a fault.
    pub fn required<T: Field>(&mut self, name: &str) -> Option<T> {
        if let Some(described) = &mut self.described {
            described.push(Described::new::<T>(name, self.source, true));
            return None;
        }
        if let Some(value) = self.optional(name)? {
            Some(value)
        } else {
            self.missing(name);
            None
        }
    }

    /// The value of a field that must be present, but may be null; the outer `None` tells of a fault.
    pub fn present<T: Field>(&mut self, name: &str) -> Option<Option<T>> {
        if let Some(described) = &mut self.described {
            let field = Described::new::<T>(name, self.source, true);
            described.push(Described { nullable: true, ..field });
            return None;
        }
        match self.patch(name)? {
            Patch::Set(value) => Some(Some(value)),
            Patch::Clear => Some(None),
            Patch::Keep => {
                self.missing(name);
                None
            }
        }
    }

    fn missing(&mut self, name: &str) {
        self.fault(name, Wrong::new("missing", "Ce champ est obligatoire.", "Field required"));
    }

    /// The value of a field that may be absent or null; the outer `None` tells of a fault.
    pub fn optional<T: Field>(&mut self, name: &str) -> Option<Option<T>> {
        match self.patch(name)? {
            Patch::Set(value) => Some(Some(value)),
            Patch::Clear | Patch::Keep => Some(None),
        }
    }

    /// The value of a field, or `default` when it is absent or null.
    pub fn or<T: Field>(&mut self, name: &str, default: T) -> Option<T> {
        Some(self.optional(name)?.unwrap_or(default))
    }

    /// What an edit does with a field: absent keeps it, null clears it; `None` tells of a fault.
    pub fn patch<T: Field>(&mut self, name: &str) -> Option<Patch<T>> {
        if let Some(described) = &mut self.described {
            described.push(Described::new::<T>(name, self.source, false));
            return None;
        }
        let value = match self.values.get(name) {
            None => return Some(Patch::Keep),
            Some(Value::Null) => return Some(Patch::Clear),
            Some(Value::String(s)) if self.source_is_text && s.is_empty() => {
                return Some(Patch::Keep);
            }
            Some(value) => value,
        };
        let read = match value {
            Value::String(text) if self.source_is_text => T::read_text(text),
            value => T::read(value),
        };
        match read {
            Ok(value) => Some(Patch::Set(value)),
            Err(wrong) => {
                self.fault(name, wrong);
                None
            }
        }
    }
}
