//! Enumerations of the contract.
use serde_json::{Value, json};

use super::Wrong;

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

/// The JSON schema of the texts `allowed`.
#[must_use]
pub fn one_of_schema(allowed: &[&str]) -> Value {
    json!({ "type": "string", "enum": allowed })
}

/// Declares an enumeration of the contract: its text form is the same in JSON, in the database and in input.
#[macro_export]
macro_rules! enumeration {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash,
            serde::Serialize, serde::Deserialize, sqlx::Type,
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

        // A derived schema would have the names of the variants: utoipa does not resolve `$text`.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::input::typed($crate::input::one_of_schema(Self::TEXTS))
            }
        }

        impl utoipa::ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

/// Makes an enumeration readable from input: exactly one of its texts.
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

            fn schema() -> serde_json::Value {
                $crate::input::one_of_schema(Self::TEXTS)
            }
        }
    };
}
