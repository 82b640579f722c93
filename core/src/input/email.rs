//! Addresses of mail.
use serde_json::{Value, json};

use super::{Field, Wrong, text_of, texts};

/// An address that mail can be sent to, at most 254 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(pub String);

impl Field for Email {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let wrong = || {
            Wrong::new(
                "value_error",
                "Une adresse e-mail est attendue, par exemple nom@exemple.ma.",
                "value is not a valid email address",
            )
        };
        let text = text_of(String::read(value)?.trim(), 3, 254)?;
        let address: lettre::Address = text.parse().map_err(|_| wrong())?;
        // A mail server accepts a domain without a dot, but from a person it is a typing error.
        if address.domain().contains('.') { Ok(Self(text)) } else { Err(wrong()) }
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "email", "minLength": 3, "maxLength": 254 })
    }
}

texts!(Email);
