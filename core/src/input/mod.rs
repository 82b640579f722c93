//! Parsing of requests: the fields of a body, a form or a query become typed values, and **all** the faults of one request are
//! found, not just the first.
//!
//! serde stops at its first error. Of the crates that do not, `eserde` reads JSON only, and neither it nor `deserr` can
//! describe what it accepts in the OpenAPI document. Here the same few lines serve JSON, both form encodings and queries,
//! report faults in both languages, and describe what they accept.
mod describe;
mod email;
mod enumeration;
mod fields;
mod patch;
mod scalars;

pub use erp_derive::Input;
use serde_json::Value;

pub(crate) use self::scalars::{NO_NUL, texts};
pub use self::{
    describe::{Described, describe, object_schema, typed},
    email::Email,
    enumeration::{not_one_of, one_of_schema},
    fields::{Fields, Source},
    patch::Patch,
    scalars::{Centimes, Id, Ids, MAX_TEXT, Minutes, Trimmed, Whole, text_of},
};
use crate::Text;

/// One fault, in the shape of FastAPI's errors: where it is, what it is, and a stable type.
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
    /// Reads a JSON value, which is never null. Its JSON type counts: `"3"` is no number.
    fn read(value: &Value) -> Result<Self, Wrong>;

    /// Reads a value of a form or a query, which is always text.
    fn read_text(text: &str) -> Result<Self, Wrong> {
        Self::read(&Value::String(text.to_owned()))
    }

    /// What [`Field::read`] accepts, as a JSON schema.
    #[must_use]
    fn schema() -> Value;

    /// What [`Field::read_text`] accepts, where that is more than [`Field::read`] does.
    #[must_use]
    fn text_schema() -> Value {
        Self::schema()
    }
}

/// A type that is made from the fields of a request; derived ([`macro@Input`]), so that each field is declared once.
pub trait Input: Sized {
    /// Whether reading it takes noticeable processor time: if so, it is read outside the async threads.
    const HEAVY: bool = false;

    /// Reads the value, and records every fault in `fields`; `None` when there is one.
    fn read(fields: &mut Fields) -> Option<Self>;
}
