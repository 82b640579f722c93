//! How texts, numbers, dates and lists are read from one field.
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Field, Wrong};

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
        // PostgreSQL cannot store NUL in a text.
        if s.contains('\0') {
            return Err(Wrong::new(
                "string_nul",
                "Le texte contient un caractère nul.",
                "Text must not contain NUL characters",
            ));
        }
        text_of(s, 0, MAX_TEXT)
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": MAX_TEXT, "pattern": NO_NUL })
    }
}

/// A regular expression that matches texts without NUL.
pub(crate) const NO_NUL: &str = r"^[^\u0000]*$";

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

/// Implements `From` into `String` for types that hold one text, as `#[input(as = …)]` requires.
macro_rules! texts {
    ($($name:ident),+) => {$(
        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }
    )+};
}
pub(crate) use texts;

/// A text of 1 to `N` characters, without white space around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trimmed<const N: usize>(pub String);

impl<const N: usize> From<Trimmed<N>> for String {
    fn from(text: Trimmed<N>) -> Self {
        text.0
    }
}

impl<const N: usize> Field for Trimmed<N> {
    fn read(value: &Value) -> Result<Self, Wrong> {
        text_of(String::read(value)?.trim(), 1, N).map(Self)
    }

    fn schema() -> Value {
        let pattern = r"^[^\u0000]*[^\s\u0000][^\u0000]*$";
        json!({ "type": "string", "minLength": 1, "maxLength": N, "pattern": pattern })
    }
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, Wrong> {
        value.as_bool().ok_or_else(not_a_bool)
    }

    fn read_text(text: &str) -> Result<Self, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" | "oui" => Ok(true),
            "false" | "0" | "off" | "no" | "non" => Ok(false),
            _ => Err(not_a_bool()),
        }
    }

    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn text_schema() -> Value {
        let words = ["1", "0", "on", "off", "yes", "no", "oui", "non"];
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "string", "enum": words }] })
    }
}

fn not_a_bool() -> Wrong {
    Wrong::new("bool_parsing", "Vrai ou faux est attendu.", "Input should be a valid boolean")
}

/// A whole number in `MIN..=MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<const MIN: i64, const MAX: i64>(pub i64);

/// The id of a row.
pub type Id = Whole<1, { i64::MAX }>;

/// A duration in minutes: 0 to the length of a leap year.
pub type Minutes = Whole<0, { 366 * 24 * 60 }>;

/// Centimes of MAD: up to ten thousand million dirhams.
pub type Centimes = Whole<0, 1_000_000_000_000>;

/// Implements `From<Whole>` for integers. A range that does not fit the integer does not compile.
macro_rules! fits {
    ($($integer:ident),+) => {$(
        impl<const MIN: i64, const MAX: i64> From<Whole<MIN, MAX>> for $integer {
            #[expect(clippy::allow_attributes, reason = "not every cast narrows")]
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see the assertion")]
            fn from(whole: Whole<MIN, MAX>) -> Self {
                const {
                    assert!(MIN as i128 >= $integer::MIN as i128 && MAX as i128 <= $integer::MAX as i128);
                };
                whole.0 as Self
            }
        }
    )+};
}
fits!(i16, i32, i64, usize);

impl<const MIN: i64, const MAX: i64> Field for Whole<MIN, MAX> {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let number = value.as_i64().or_else(|| whole(value.as_f64()?));
        Self::in_range(number.ok_or_else(not_an_int)?)
    }

    /// Accepts digits after an optional minus: in a URL or a form `1e3`, `+5` and `5.0` are no integers.
    fn read_text(text: &str) -> Result<Self, Wrong> {
        let text = text.trim();
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(not_an_int());
        }
        // A number with more digits than an `i64` holds is outside every range.
        match text.parse() {
            Ok(number) => Self::in_range(number),
            Err(_) if text.starts_with('-') => Err(Self::too_small()),
            Err(_) => Err(Self::too_large()),
        }
    }

    fn schema() -> Value {
        json!({ "type": "integer", "format": "int64", "minimum": MIN, "maximum": MAX })
    }
}

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    fn in_range(n: i64) -> Result<Self, Wrong> {
        match n {
            n if n < MIN => Err(Self::too_small()),
            n if n > MAX => Err(Self::too_large()),
            n => Ok(Self(n)),
        }
    }

    fn too_small() -> Wrong {
        Wrong::new(
            "greater_than_equal",
            format!("La valeur doit être d'au moins {MIN}."),
            format!("Input should be greater than or equal to {MIN}"),
        )
    }

    fn too_large() -> Wrong {
        Wrong::new(
            "less_than_equal",
            format!("La valeur doit être d'au plus {MAX}."),
            format!("Input should be less than or equal to {MAX}"),
        )
    }
}

/// JSON has one kind of number: 3.0 is 3.
#[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in range")]
fn whole(n: f64) -> Option<i64> {
    (n.fract() == 0.0 && n.abs() < 9e15).then_some(n as i64)
}

fn not_an_int() -> Wrong {
    Wrong::new("int_parsing", "Un nombre entier est attendu.", "Input should be a valid integer")
}

fn too_many_items() -> Wrong {
    Wrong::new(
        "too_long",
        format!("Au plus {MAX_ITEMS} valeurs sont acceptées."),
        format!("List should have at most {MAX_ITEMS} items"),
    )
}

/// The most items that a list takes.
const MAX_ITEMS: usize = 1000;

impl<T: Field> Field for Vec<T> {
    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Array(items) if items.len() > MAX_ITEMS => Err(too_many_items()),
            Value::Array(items) => items.iter().map(T::read).collect(),
            _ => Err(Wrong::new(
                "list_type",
                "Une liste est attendue.",
                "Input should be a valid list",
            )),
        }
    }

    /// Reads `1,2,3`, since a form or a query has no lists.
    fn read_text(text: &str) -> Result<Self, Wrong> {
        if text.split(',').nth(MAX_ITEMS).is_some() {
            return Err(too_many_items());
        }
        text.split(',').map(|item| T::read_text(item.trim())).collect()
    }

    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema(), "maxItems": MAX_ITEMS })
    }
}

/// A list of ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids(pub Vec<i64>);

impl From<Ids> for Vec<i64> {
    fn from(ids: Ids) -> Self {
        ids.0
    }
}

impl Field for Ids {
    fn read(value: &Value) -> Result<Self, Wrong> {
        Vec::<Id>::read(value).map(Self::of)
    }

    fn read_text(text: &str) -> Result<Self, Wrong> {
        Vec::<Id>::read_text(text).map(Self::of)
    }

    fn schema() -> Value {
        Vec::<Id>::schema()
    }
}

impl Ids {
    fn of(ids: Vec<Id>) -> Self {
        Self(ids.into_iter().map(|id| id.0).collect())
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
            .filter(|t| (1900..3000).contains(&t.year()))
            .ok_or_else(wrong)
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "date-time", "pattern": r"^(19|2\d)\d\d-" })
    }
}

impl Field for NaiveDate {
    /// A day, `2026-11-23`; years 1900 to 2999.
    fn read(value: &Value) -> Result<Self, Wrong> {
        let day = value.as_str().and_then(|text| text.trim().parse::<Self>().ok());
        day.filter(|day| (1900..3000).contains(&day.year())).ok_or_else(|| {
            Wrong::new(
                "date_parsing",
                "Un jour est attendu, par exemple 2026-11-23.",
                "Input should be a valid date, for instance 2026-11-23",
            )
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "date", "pattern": r"^(19|2\d)\d\d-" })
    }
}

impl Field for Uuid {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let parsed = value.as_str().and_then(|text| Self::try_parse(text.trim()).ok());
        parsed.ok_or_else(|| {
            Wrong::new("uuid_parsing", "Un UUID est attendu.", "Input should be a valid UUID")
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "uuid" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_too_long_is_a_fault_and_not_cut() {
        let kind = |list: Result<Ids, Wrong>| list.map_or_else(|wrong| wrong.kind, |_| "");
        let json = |n| Ids::read(&json!(vec![7; n]));
        let text = |n| Ids::read_text(&vec!["7"; n].join(","));
        assert_eq!((kind(json(1000)), kind(text(1000))), ("", ""));
        assert_eq!((kind(json(1001)), kind(text(1001))), ("too_long", "too_long"));
    }
}
