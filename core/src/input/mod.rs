//! Parsing at the edge: fields of a body, a form or a query become typed values,
//! and **all** the faults of one request are found, not just the first.
//!
//! serde stops at its first error; the crates that do not (`eserde`) read JSON only. Here the same
//! few lines serve JSON, both form encodings and queries, and speak both languages.
mod enumeration;
mod fields;
mod patch;
mod scalars;

use serde_json::Value;

pub use self::{
    enumeration::not_one_of,
    fields::{Fields, Source},
    patch::Patch,
    scalars::{Centimes, Id, Line, MAX_TEXT, Minutes, int_in, text_of},
};
use crate::Text;

/// One fault, in the shape that FastAPI made known: where, what, and a stable type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `["body", "email"]`
    pub loc: Vec<String>,
    pub msg: Text,
    pub kind: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.loc.join("."), self.msg)
    }
}

/// What is wrong with one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub kind: &'static str,
    pub msg: Text,
}

impl Wrong {
    #[must_use]
    pub fn new(kind: &'static str, fr: impl Into<String>, en: impl Into<String>) -> Self {
        Self { kind, msg: Text::new(fr, en) }
    }
}

/// A value that can be read from one field.
pub trait Field: Sized {
    /// Reads `value`, which is never null. Text stands for numbers and booleans too, since forms and
    /// queries have nothing else.
    fn read(value: &Value) -> Result<Self, Wrong>;
}

/// A type that is made from the fields of a request.
pub trait Input: Sized {
    /// Reads itself, leaving every fault in `fields`; `None` when there is any.
    fn read(fields: &mut Fields) -> Option<Self>;
}
