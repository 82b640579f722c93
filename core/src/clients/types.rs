//! What a client is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    described, enumeration, enumeration_field,
    input::{Field, Fields, Input, Line, Patch, Wrong},
    page::Page,
    users::Email,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
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

/// The Moroccan company id: 15 digits. The spaces that group them on paper are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ice(pub String);

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

/// A number that can be called, as its owner writes it: 6 to 15 digits ([E.164] has no more), perhaps a `+` before
/// them, and what people put between them.
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

/// All fields of a client but its id and its age.
#[derive(Debug, Clone)]
pub struct ClientFields {
    pub nom_entreprise: String,
    pub type_client: TypeClient,
    pub ice: Option<String>,
    pub email: Option<String>,
    pub telephone: Option<String>,
    pub adresse: Option<String>,
    pub ville: Option<String>,
    pub niveau_service: NiveauService,
    pub is_active: bool,
}

described!(ClientFields, ClientPatch);

impl Input for ClientFields {
    fn read(fields: &mut Fields) -> Option<Self> {
        let nom_entreprise = fields.required::<Line<200>>("nom_entreprise");
        let type_client = fields.or("type_client", TypeClient::Entreprise);
        let ice = fields.optional::<Ice>("ice");
        let email = fields.optional::<Email>("email");
        let telephone = fields.optional::<Telephone>("telephone");
        let adresse = fields.optional::<Line<500>>("adresse");
        let ville = fields.optional::<Line<200>>("ville");
        let niveau_service = fields.or("niveau_service", NiveauService::Standard);
        let is_active = fields.or("is_active", true);
        Some(Self {
            nom_entreprise: nom_entreprise?.0,
            type_client: type_client?,
            ice: ice?.map(|i| i.0),
            email: email?.map(|e| e.0),
            telephone: telephone?.map(|t| t.0),
            adresse: adresse?.map(|l| l.0),
            ville: ville?.map(|l| l.0),
            niveau_service: niveau_service?,
            is_active: is_active?,
        })
    }
}

/// What an edit of a client changes.
#[derive(Debug, Clone)]
pub struct ClientPatch {
    nom_entreprise: Patch<Line<200>>,
    type_client: Patch<TypeClient>,
    ice: Patch<Ice>,
    email: Patch<Email>,
    telephone: Patch<Telephone>,
    adresse: Patch<Line<500>>,
    ville: Patch<Line<200>>,
    niveau_service: Patch<NiveauService>,
    is_active: Patch<bool>,
}

impl Input for ClientPatch {
    fn read(fields: &mut Fields) -> Option<Self> {
        let nom_entreprise = fields.set("nom_entreprise");
        let type_client = fields.set("type_client");
        let ice = fields.patch("ice");
        let email = fields.patch("email");
        let telephone = fields.patch("telephone");
        let adresse = fields.patch("adresse");
        let ville = fields.patch("ville");
        let niveau_service = fields.set("niveau_service");
        let is_active = fields.set("is_active");
        Some(Self {
            nom_entreprise: nom_entreprise?,
            type_client: type_client?,
            ice: ice?,
            email: email?,
            telephone: telephone?,
            adresse: adresse?,
            ville: ville?,
            niveau_service: niveau_service?,
            is_active: is_active?,
        })
    }
}

impl ClientPatch {
    /// What `old` becomes.
    pub(super) fn over(self, old: Client) -> ClientFields {
        ClientFields {
            nom_entreprise: self.nom_entreprise.map(|l| l.0).or_keep(old.nom_entreprise),
            type_client: self.type_client.or_keep(old.type_client),
            ice: self.ice.over_with(old.ice, |i| i.0),
            email: self.email.over_with(old.email, |e| e.0),
            telephone: self.telephone.over_with(old.telephone, |t| t.0),
            adresse: self.adresse.over_with(old.adresse, |l| l.0),
            ville: self.ville.over_with(old.ville, |l| l.0),
            niveau_service: self.niveau_service.or_keep(old.niveau_service),
            is_active: self.is_active.or_keep(old.is_active),
        }
    }
}

/// Which clients a list shows.
#[derive(Debug, Clone)]
pub struct ClientFilter {
    pub type_client: Option<TypeClient>,
    /// In any case.
    pub ville: Option<String>,
    pub niveau_service: Option<NiveauService>,
    pub is_active: Option<bool>,
    /// Part of the name, the ICE, the e-mail address, the phone number or the city.
    pub q: Option<String>,
    pub page: Page,
}

impl Input for ClientFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let type_client = fields.optional("type_client");
        let ville = fields.optional("ville");
        let niveau_service = fields.optional("niveau_service");
        let is_active = fields.optional("is_active");
        let q = fields.optional("q");
        let page = Page::read(fields, SORTABLE);
        Some(Self {
            type_client: type_client?,
            ville: ville?,
            niveau_service: niveau_service?,
            is_active: is_active?,
            page: page?.searching(q.as_ref()?.as_ref()),
            q: q?,
        })
    }
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
