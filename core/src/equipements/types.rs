//! The types of an equipment: its row, which is also its JSON, its input, and the filter of its list.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    enumeration, enumeration_field,
    input::{Field, Id, Input, Trimmed, Whole, Wrong, one_of_schema, texts},
    page::{Columns, Page},
    versioned,
};

enumeration! {
    StatutEquipement {
        Operationnel = "operationnel",
        Maintenance = "maintenance",
        Panne = "panne",
        Retire = "retire",
    }
}
enumeration_field!(StatutEquipement);

enumeration! {
    CriticiteEquipement {
        Critique = "critique",
        Important = "important",
        Standard = "standard",
        NonCritique = "non_critique",
    }
}
enumeration_field!(CriticiteEquipement);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct Equipement {
    pub id: i64,
    /// Unique.
    pub nom: String,
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub type_: String,
    pub localisation: String,
    /// Days between two visits, as text: `"30"`.
    pub frequence_entretien: Option<String>,
    pub numero_serie: Option<String>,
    pub marque: Option<String>,
    pub modele: Option<String>,
    pub statut: StatutEquipement,
    pub criticite: CriticiteEquipement,
    pub description: Option<String>,
    pub date_acquisition: Option<DateTime<Utc>>,
    pub client_id: Option<i64>,
    /// What an edit names in `If-Match`: raised whenever something changes.
    pub version: i64,
}

versioned!(Equipement);

/// The fields that a list of equipment can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "nom",
    "type",
    "localisation",
    "numero_serie",
    "marque",
    "modele",
    "statut",
    "criticite",
    "date_acquisition",
    "client_id",
];

/// `"30"` or `30`: a number of days, 1 to 3650, kept as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days(pub String);

/// Labels that the frontend sends for a number of days, in lower case.
const LABELS: &[(&str, i64)] = &[
    ("hebdomadaire", 7),
    ("bimensuel", 15),
    ("bimensuelle", 15),
    ("mensuel", 30),
    ("mensuelle", 30),
    ("trimestriel", 90),
    ("trimestrielle", 90),
    ("semestriel", 180),
    ("semestrielle", 180),
    ("annuel", 365),
    ("annuelle", 365),
];

texts!(Days);

impl Field for Days {
    /// A number, as text or not, or one of the labels in any case.
    fn read(value: &Value) -> Result<Self, Wrong> {
        let days = match value {
            Value::String(text) => {
                let label = text.trim().to_lowercase();
                match LABELS.iter().find(|(known, _)| *known == label) {
                    Some((_, days)) => Ok(Whole(*days)),
                    None => Whole::<1, 3650>::read_text(text),
                }
            }
            value => Whole::read(value),
        };
        days.map(|n| Self(n.0.to_string()))
    }

    fn schema() -> Value {
        let digits = json!({ "type": "string", "pattern": "^([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-4][0-9]|3650)$" });
        let labels: Vec<_> = LABELS.iter().map(|(label, _)| *label).collect();
        json!({ "anyOf": [digits, Whole::<1, 3650>::schema(), one_of_schema(&labels)] })
    }
}

/// All fields of a machine but its id and its version.
#[derive(Debug, Clone, Input)]
#[input(patch = EquipementPatch, of = Equipement)]
pub struct EquipementFields {
    #[input(as = Trimmed<200>)]
    pub nom: String,
    #[input(as = Trimmed<200>)]
    pub type_: String,
    #[input(as = Trimmed<200>)]
    pub localisation: String,
    #[input(as = Days)]
    pub frequence_entretien: Option<String>,
    #[input(as = Trimmed<200>)]
    pub numero_serie: Option<String>,
    #[input(as = Trimmed<200>)]
    pub marque: Option<String>,
    #[input(as = Trimmed<200>)]
    pub modele: Option<String>,
    #[input(or = StatutEquipement::Operationnel)]
    pub statut: StatutEquipement,
    #[input(or = CriticiteEquipement::Standard)]
    pub criticite: CriticiteEquipement,
    pub description: Option<String>,
    pub date_acquisition: Option<DateTime<Utc>>,
    #[input(as = Id)]
    pub client_id: Option<i64>,
}

/// Which machines a list shows.
#[derive(Debug, Clone, Input)]
pub struct EquipementFilter {
    pub type_: Option<String>,
    pub localisation: Option<String>,
    pub statut: Option<StatutEquipement>,
    pub criticite: Option<CriticiteEquipement>,
    #[input(as = Id)]
    pub client_id: Option<i64>,
    /// Words to look for in the name, the place, the serial number, the make and the model.
    pub q: Option<String>,
    #[input(page = SORTABLE, searching = q)]
    pub page: Page,
}
