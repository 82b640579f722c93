//! The types of clients, on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    enumeration, enumeration_field,
    input::{Email, Field, Input, Trimmed, Wrong, texts},
    page::{Columns, Page},
    versioned,
};

enumeration! {
    TypeClient {
        Entreprise = "entreprise",
        Collectivite = "collectivite",
        Association = "association",
        Particulier = "particulier",
    }
}
enumeration_field!(TypeClient);

enumeration! {
    NiveauService {
        Premium = "premium",
        Standard = "standard",
        Basique = "basique",
    }
}
enumeration_field!(NiveauService);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct Client {
    pub id: i64,
    pub nom_entreprise: String,
    pub type_client: TypeClient,
    /// *Identifiant commun de l'entreprise*: 15 digits, unique.
    pub ice: Option<String>,
    pub email: Option<String>,
    pub telephone: Option<String>,
    pub adresse: Option<String>,
    pub ville: Option<String>,
    pub niveau_service: NiveauService,
    pub is_active: bool,
    pub date_creation: DateTime<Utc>,
    /// What an edit names in `If-Match`: raised whenever something changes.
    pub version: i64,
}

versioned!(Client);

/// The fields that a list of clients can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "nom_entreprise",
    "type_client",
    "ice",
    "email",
    "telephone",
    "ville",
    "niveau_service",
    "is_active",
    "date_creation",
];

/// The Moroccan company id: 15 digits. The spaces that group them on paper are removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ice(pub String);

texts!(Ice, Telephone);

impl Field for Ice {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let ice: String = String::read(value)?.split_whitespace().collect();
        if ice.len() == 15 && ice.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self(ice));
        }
        Err(Wrong::new(
            "value_error",
            "Un ICE de 15 chiffres est attendu, par exemple 001234567000089.",
            "An ICE of 15 digits is expected, for instance 001234567000089",
        ))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9]{15}$" })
    }
}

/// A phone number as its owner writes it: 6 to 15 digits ([E.164] has no more), an optional `+` before them, and the separators
/// that people put between them.
///
/// [E.164]: https://www.itu.int/rec/T-REC-E.164
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telephone(pub String);

impl Field for Telephone {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let text = String::read(value)?;
        let number = text.trim();
        let rest = number.strip_prefix('+').unwrap_or(number);
        let digits = rest.chars().filter(char::is_ascii_digit).count();
        let plausible = rest.chars().all(|c| c.is_ascii_digit() || " .-/()".contains(c));
        if plausible && (6..=15).contains(&digits) && number.len() <= 32 {
            return Ok(Self(number.to_owned()));
        }
        Err(Wrong::new(
            "value_error",
            "Un numéro de téléphone est attendu, par exemple +212 522 12 34 56.",
            "A phone number is expected, for instance +212 522 12 34 56",
        ))
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 32, "pattern": r"^\+?([0-9][ .\-/()]?){6,15}$" })
    }
}

/// All fields of a client that a request sets: not its id, creation date and version.
#[derive(Debug, Clone, Input)]
#[input(patch = ClientPatch, of = Client)]
pub struct ClientFields {
    #[input(as = Trimmed<200>)]
    pub nom_entreprise: String,
    #[input(or = TypeClient::Entreprise)]
    pub type_client: TypeClient,
    #[input(as = Ice)]
    pub ice: Option<String>,
    #[input(as = Email)]
    pub email: Option<String>,
    #[input(as = Telephone)]
    pub telephone: Option<String>,
    #[input(as = Trimmed<500>)]
    pub adresse: Option<String>,
    #[input(as = Trimmed<200>)]
    pub ville: Option<String>,
    #[input(or = NiveauService::Standard)]
    pub niveau_service: NiveauService,
    #[input(or = true)]
    pub is_active: bool,
}

/// Which clients a list shows.
#[derive(Debug, Clone, Input)]
pub struct ClientFilter {
    pub type_client: Option<TypeClient>,
    /// In any case, with or without accents.
    pub ville: Option<String>,
    pub niveau_service: Option<NiveauService>,
    pub is_active: Option<bool>,
    /// Part of the name, the ICE, the e-mail address, the phone number or the city.
    pub q: Option<String>,
    #[input(page = SORTABLE, searching = q)]
    pub page: Page,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ice_has_15_digits_however_they_are_grouped() {
        let ice = |value: Value| Ice::read(&value).map(|i| i.0).ok();
        assert_eq!(ice(json!(" 001 234 567 0000 89 ")), Some("001234567000089".to_owned()));
        for bad in ["", "00123456700008", "0012345670000890", "00123456700008A", "٠٠١٢٣٤٥٦٧٠٠٠٠٨٩"]
        {
            assert_eq!(ice(json!(bad)), None, "{bad}");
        }
        assert_eq!(ice(json!(101_234_567_000_089_u64)), None, "a number would lose its zeros");
    }

    #[test]
    fn a_phone_number_can_be_called() {
        let telephone = |text: &str| Telephone::read(&json!(text)).is_ok();
        for good in ["+212 522-12.34.56", "0522123456", "+212 (0)5 22 12 34 56", "05 22 / 12 34 56"]
        {
            assert!(telephone(good), "{good}");
        }
        for bad in [
            "",
            "+",
            "12345",
            "0522 12 34 ab",
            "+1234567890123456",
            "++212522123456",
            "05+22123456",
        ] {
            assert!(!telephone(bad), "{bad}");
        }
    }
}
