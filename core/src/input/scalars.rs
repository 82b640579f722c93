//! How texts, numbers, dates and lists are read from one field.
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;

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
