//! What a planning is on the wire and in the program.
use chrono::{DateTime, NaiveTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::Echeance;
use crate::{
    enumeration, enumeration_field,
    input::{Field, Id, Input, Patch, Wrong, not_one_of, one_of_schema},
    page::{Columns, Page},
    versioned,
};

/// How often a machine is visited. The database has the masculine form, the wire the feminine one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, sqlx::Type, utoipa::ToSchema)]
#[sqlx(type_name = "text")]
pub enum FrequencePlanning {
    #[serde(rename = "journalier")]
    #[sqlx(rename = "journalier")]
    Journalier,
    #[serde(rename = "hebdomadaire")]
    #[sqlx(rename = "hebdomadaire")]
    Hebdomadaire,
    #[serde(rename = "mensuelle")]
    #[sqlx(rename = "mensuel")]
    Mensuel,
    #[serde(rename = "trimestrielle")]
    #[sqlx(rename = "trimestriel")]
    Trimestriel,
    #[serde(rename = "semestrielle")]
    #[sqlx(rename = "semestriel")]
    Semestriel,
    #[serde(rename = "annuelle")]
    #[sqlx(rename = "annuel")]
    Annuel,
}

impl FrequencePlanning {
    pub(crate) const ALL: [Self; 6] = [
        Self::Journalier,
        Self::Hebdomadaire,
        Self::Mensuel,
        Self::Trimestriel,
        Self::Semestriel,
        Self::Annuel,
    ];

    /// The name in the database.
    pub(crate) fn stored(self) -> &'static str {
        match self {
            Self::Journalier => "journalier",
            Self::Hebdomadaire => "hebdomadaire",
            Self::Mensuel => "mensuel",
            Self::Trimestriel => "trimestriel",
            Self::Semestriel => "semestriel",
            Self::Annuel => "annuel",
        }
    }

    /// The names in responses.
    const TEXTS: &[&str] =
        &["journalier", "hebdomadaire", "mensuelle", "trimestrielle", "semestrielle", "annuelle"];
}

impl Field for FrequencePlanning {
    /// Masculine or feminine, or in English as the React frontend sends it, in any case.
    fn read(value: &Value) -> Result<Self, Wrong> {
        let text = value.as_str().map(|text| text.trim().to_lowercase()).unwrap_or_default();
        match text.as_str() {
            "journalier" | "journaliere" | "journalière" | "daily" => Ok(Self::Journalier),
            "hebdomadaire" | "weekly" => Ok(Self::Hebdomadaire),
            "mensuel" | "mensuelle" | "monthly" => Ok(Self::Mensuel),
            "trimestriel" | "trimestrielle" | "quarterly" => Ok(Self::Trimestriel),
            "semestriel" | "semestrielle" | "semiannual" => Ok(Self::Semestriel),
            "annuel" | "annuelle" | "yearly" => Ok(Self::Annuel),
            _ => Err(not_one_of(Self::TEXTS)),
        }
    }

    /// All of them in lower case; other cases are read as well.
    fn schema() -> Value {
        one_of_schema(&[
            "journalier",
            "journaliere",
            "journalière",
            "hebdomadaire",
            "mensuel",
            "mensuelle",
            "trimestriel",
            "trimestrielle",
            "semestriel",
            "semestrielle",
            "annuel",
            "annuelle",
            "daily",
            "weekly",
            "monthly",
            "quarterly",
            "semiannual",
            "yearly",
        ])
    }
}

enumeration! {
    StatutPlanning {
        Actif = "actif",
        Suspendu = "suspendu",
        Termine = "termine",
        EnRetard = "en_retard",
    }
}
enumeration_field!(StatutPlanning);

impl StatutPlanning {
    /// Whether its visits are opened and announced.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Actif | Self::EnRetard)
    }
}

/// One row of `plannings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct Planning {
    pub id: i64,
    pub frequence: FrequencePlanning,
    pub prochaine_date: DateTime<Utc>,
    pub derniere_date: Option<DateTime<Utc>>,
    pub statut: StatutPlanning,
    pub commentaire: Option<String>,
    pub equipement_id: i64,
    pub date_creation: DateTime<Utc>,
    /// What an edit names in `If-Match`: raised whenever something changes.
    pub version: i64,
    #[serde(skip)]
    pub(super) jour: Option<i16>,
    #[serde(skip)]
    pub(super) heure: Option<NaiveTime>,
}

versioned!(Planning);

impl Planning {
    /// The next visit.
    #[must_use]
    pub fn echeance(&self) -> Echeance {
        let said = Echeance::at(self.prochaine_date);
        Echeance {
            jour: self.jour.and_then(|jour| u32::try_from(jour).ok()).unwrap_or(said.jour),
            heure: self.heure.unwrap_or(said.heure),
            ..said
        }
    }
}

/// The fields that a list of plannings can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "frequence",
    "prochaine_date",
    "derniere_date",
    "statut",
    "equipement_id",
    "date_creation",
];

#[derive(Debug, Clone, Input)]
pub struct PlanningCreate {
    pub frequence: FrequencePlanning,
    #[input(as = Id)]
    pub equipement_id: i64,
    pub prochaine_date: Option<DateTime<Utc>>,
    pub derniere_date: Option<DateTime<Utc>>,
    pub commentaire: Option<String>,
}

/// What an edit of a planning changes.
#[derive(Debug, Clone, Input)]
pub struct PlanningPatch {
    pub(super) frequence: Option<FrequencePlanning>,
    pub(super) prochaine_date: Option<DateTime<Utc>>,
    pub(super) statut: Option<StatutPlanning>,
    pub(super) commentaire: Patch<String>,
}

/// The date of the visit after the one that was due.
#[derive(Debug, Clone, Copy, Input)]
pub struct NouvelleDate(#[input(name = "nouvelle_date")] pub DateTime<Utc>);

/// Which plannings a list shows.
#[derive(Debug, Clone, Input)]
pub struct PlanningFilter {
    #[input(as = Id)]
    pub equipement_id: Option<i64>,
    pub statut: Option<StatutPlanning>,
    #[input(page = SORTABLE)]
    pub page: Page,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_frequency_is_read_in_both_genders_and_written_in_the_feminine() {
        let pairs = [
            ("journalier", "JOURNALIÈRE"),
            ("hebdomadaire", " Hebdomadaire "),
            ("mensuel", "Mensuelle"),
            ("trimestriel", "TRIMESTRIELLE"),
            ("semestriel", "semestrielle"),
            ("annuel", "Annuelle"),
        ];
        for ((masculine, feminine), out) in pairs.into_iter().zip(FrequencePlanning::TEXTS) {
            for text in [masculine, &masculine.to_uppercase(), feminine] {
                let read = FrequencePlanning::read(&json!(text)).unwrap();
                assert_eq!(serde_json::to_value(read).unwrap(), *out, "{text}");
            }
        }
        assert!(FrequencePlanning::read(&json!("bimestrielle")).is_err());
        assert!(FrequencePlanning::read(&json!(1)).is_err());
    }
}
