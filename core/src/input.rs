//! Parsing at the edge: fields of a body, a form or a query become typed values,
//! and **all** the faults of one request are found, not just the first.
//!
//! serde stops at its first error; the crates that do not (`eserde`) read JSON only. Here the same
//! few lines serve JSON, both form encodings and queries, and speak both languages.
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Map, Value};

use crate::{Error, Result, Text};

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
    /// In a form or a query an empty value is an absent one: that is what a browser sends for an empty input.
    empty_is_absent: bool,
    faults: Vec<Fault>,
}

impl Fields {
    /// The members of a JSON object.
    #[must_use]
    pub fn json(values: Map<String, Value>) -> Self {
        Self { source: Source::Body, values, empty_is_absent: false, faults: Vec::new() }
    }

    /// The pairs of a form or a query; of a name given twice the last counts.
    #[must_use]
    pub fn pairs(source: Source, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = pairs.into_iter().map(|(k, v)| (k, Value::String(v))).collect();
        Self { source, values, empty_is_absent: true, faults: Vec::new() }
    }

    /// Reads a whole `T`.
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

    /// The value of a field that must be there.
    pub fn required<T: Field>(&mut self, name: &str) -> Option<T> {
        if let Some(value) = self.optional(name)? {
            Some(value)
        } else {
            let missing = Wrong::new("missing", "Ce champ est obligatoire.", "Field required");
            self.fault(name, missing);
            None
        }
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

    /// What an edit does with a field: absent keeps it, null clears it.
    pub fn patch<T: Field>(&mut self, name: &str) -> Option<Patch<T>> {
        let value = match self.values.get(name) {
            None => return Some(Patch::Keep),
            Some(Value::Null) => return Some(Patch::Clear),
            Some(Value::String(s)) if self.empty_is_absent && s.is_empty() => {
                return Some(Patch::Keep);
            }
            Some(value) => value,
        };
        match T::read(value) {
            Ok(value) => Some(Patch::Set(value)),
            Err(wrong) => {
                self.fault(name, wrong);
                None
            }
        }
    }

    /// Like [`Fields::patch`], for a field that cannot be cleared: null keeps it.
    pub fn set<T: Field>(&mut self, name: &str) -> Option<Patch<T>> {
        Some(match self.patch(name)? {
            Patch::Clear => Patch::Keep,
            other => other,
        })
    }
}

/// What an edit does with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch<T> {
    Keep,
    Clear,
    Set(T),
}

impl<T> Patch<T> {
    /// The new value of a field that may be empty.
    pub fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }

    /// Like [`Patch::over`], through a conversion.
    pub fn over_with<U>(self, old: Option<U>, convert: impl FnOnce(T) -> U) -> Option<U> {
        self.map(convert).over(old)
    }

    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Patch<U> {
        match self {
            Self::Keep => Patch::Keep,
            Self::Clear => Patch::Clear,
            Self::Set(value) => Patch::Set(convert(value)),
        }
    }

    /// The new value of a field that always has one.
    pub fn or_keep(self, old: T) -> T {
        match self {
            Self::Set(value) => value,
            Self::Keep | Self::Clear => old,
        }
    }
}

/// The longest text that a field takes, unless its type says less: 10 000 characters.
pub const MAX_TEXT: usize = 10_000;

impl Field for String {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let Value::String(s) = value else {
            return Err(Wrong::new(
                "string_type",
                "Un texte est attendu.",
                "Input should be a valid string",
            ));
        };
        // PostgreSQL has no NUL in text.
        if s.contains('\0') {
            return Err(Wrong::new(
                "string_nul",
                "Le texte contient un caractère nul.",
                "Text must not contain NUL characters",
            ));
        }
        text_of(s, 0, MAX_TEXT)
    }
}

/// `s` if it has `min..=max` characters.
pub fn text_of(s: &str, min: usize, max: usize) -> Result<String, Wrong> {
    let n = s.chars().take(max + 1).count();
    if n < min {
        let fr = format!("Au moins {min} caractères sont attendus.");
        return Err(Wrong::new(
            "string_too_short",
            fr,
            format!("String should have at least {min} characters"),
        ));
    }
    if n > max {
        let fr = format!("Au plus {max} caractères sont acceptés.");
        return Err(Wrong::new(
            "string_too_long",
            fr,
            format!("String should have at most {max} characters"),
        ));
    }
    Ok(s.to_owned())
}

/// A text of 1 to `N` characters, without white space around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<const N: usize>(pub String);

impl<const N: usize> Field for Line<N> {
    fn read(value: &Value) -> Result<Self, Wrong> {
        text_of(String::read(value)?.trim(), 1, N).map(Self)
    }
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Bool(b) => Ok(*b),
            Value::String(s) => match s.to_ascii_lowercase().as_str() {
                "true" | "1" | "on" | "yes" | "oui" => Ok(true),
                "false" | "0" | "off" | "no" | "non" => Ok(false),
                _ => Err(not_a_bool()),
            },
            _ => Err(not_a_bool()),
        }
    }
}

fn not_a_bool() -> Wrong {
    Wrong::new("bool_parsing", "Vrai ou faux est attendu.", "Input should be a valid boolean")
}

impl Field for i64 {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let number = match value {
            Value::Number(n) => n.as_i64(),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| {
            Wrong::new(
                "int_parsing",
                "Un nombre entier est attendu.",
                "Input should be a valid integer",
            )
        })
    }
}

/// A whole number in `min..=max`.
pub fn int_in(value: &Value, min: i64, max: i64) -> Result<i64, Wrong> {
    let n = i64::read(value)?;
    if n < min {
        let fr = format!("La valeur doit être d'au moins {min}.");
        return Err(Wrong::new(
            "greater_than_equal",
            fr,
            format!("Input should be greater than or equal to {min}"),
        ));
    }
    if n > max {
        let fr = format!("La valeur doit être d'au plus {max}.");
        return Err(Wrong::new(
            "less_than_equal",
            fr,
            format!("Input should be less than or equal to {max}"),
        ));
    }
    Ok(n)
}

/// The id of a row: positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub i64);

impl Field for Id {
    fn read(value: &Value) -> Result<Self, Wrong> {
        int_in(value, 1, i64::MAX).map(Self)
    }
}

/// A duration in minutes: 0 to a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minutes(pub i32);

impl Field for Minutes {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let n = int_in(value, 0, 366 * 24 * 60)?;
        Ok(Self(i32::try_from(n).unwrap_or(i32::MAX)))
    }
}

/// Centimes of MAD: 0 to ten thousand million dirhams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Centimes(pub i64);

impl Field for Centimes {
    fn read(value: &Value) -> Result<Self, Wrong> {
        int_in(value, 0, 1_000_000_000_000).map(Self)
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Array(items) if items.len() <= 1000 => items.iter().map(T::read).collect(),
            // A form or a query has no lists: `1,2,3`.
            Value::String(s) => {
                s.split(',').map(|item| T::read(&Value::String(item.trim().to_owned()))).collect()
            }
            _ => Err(Wrong::new(
                "list_type",
                "Une liste est attendue.",
                "Input should be a valid list",
            )),
        }
    }
}

impl Field for DateTime<Utc> {
    /// RFC 3339, or without zone (= UTC), or a bare date (= midnight UTC); years 1900 to 2999.
    fn read(value: &Value) -> Result<Self, Wrong> {
        let wrong = || {
            Wrong::new(
                "datetime_parsing",
                "Une date est attendue, par exemple 2026-11-23T08:30:00Z.",
                "Input should be a valid datetime, for instance 2026-11-23T08:30:00Z",
            )
        };
        let s = value.as_str().ok_or_else(wrong)?.trim();
        let naive = |format| NaiveDateTime::parse_from_str(s, format).map(|t| t.and_utc()).ok();
        DateTime::parse_from_rfc3339(s)
            .map(|t| t.to_utc())
            .ok()
            .or_else(|| naive("%Y-%m-%dT%H:%M:%S%.f"))
            .or_else(|| naive("%Y-%m-%d %H:%M:%S%.f"))
            .or_else(|| naive("%Y-%m-%dT%H:%M"))
            .or_else(|| s.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0).map(|t| t.and_utc()))
            .filter(|t| ("1900".."3000").contains(&t.format("%Y").to_string().as_str()))
            .ok_or_else(wrong)
    }
}

/// The fault of a value that is not one of `allowed`.
#[must_use]
pub fn not_one_of(allowed: &[&str]) -> Wrong {
    let list = allowed.join(", ");
    Wrong::new(
        "enum",
        format!("Valeur inconnue : une de {list} est attendue."),
        format!("Input should be one of: {list}"),
    )
}

/// Declares an enumeration of the contract: its text form is the same in JSON, in the database and in input.
#[macro_export]
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash,
            serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema,
        )]
        #[sqlx(type_name = "text")]
        pub enum $name {
            $($(#[$vmeta])* #[serde(rename = $text)] #[sqlx(rename = $text)] $variant),+
        }

        impl $name {
            pub const TEXTS: &[&str] = &[$($text),+];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// Makes an enumeration readable from input, taken literally.
#[macro_export]
macro_rules! enumeration_field {
    ($name:ident) => {
        impl $crate::input::Field for $name {
            fn read(value: &serde_json::Value) -> Result<Self, $crate::input::Wrong> {
                value
                    .as_str()
                    .and_then(Self::from_text)
                    .ok_or_else(|| $crate::input::not_one_of(Self::TEXTS))
            }
        }
    };
}
