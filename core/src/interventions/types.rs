//! What an intervention is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::StatutIntervention;
use crate::{enumeration, enumeration_field};

enumeration! {
    InterventionType {
        Corrective = "corrective",
        Preventive = "preventive",
        Ameliorative = "ameliorative",
        Diagnostic = "diagnostic",
    }
}
enumeration_field!(InterventionType);

enumeration! {
    PrioriteIntervention {
        Urgente = "urgente",
        Haute = "haute",
        Normale = "normale",
        Basse = "basse",
        Programmee = "programmee",
    }
}
enumeration_field!(PrioriteIntervention);

/// One row of `interventions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct Intervention {
    pub id: i64,
    pub titre: String,
    pub description: Option<String>,
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub type_: InterventionType,
    pub statut: StatutIntervention,
    pub priorite: PrioriteIntervention,
    pub urgence: bool,
    pub date_creation: DateTime<Utc>,
    pub date_limite: Option<DateTime<Utc>>,
    pub date_affectation: Option<DateTime<Utc>>,
    pub date_debut_travaux: Option<DateTime<Utc>>,
    pub date_cloture: Option<DateTime<Utc>>,
    pub technicien_id: Option<i64>,
    pub equipement_id: i64,
    pub planning_id: Option<i64>,
    /// Who opened it; `None`: the system.
    #[serde(skip)]
    pub createur_id: Option<i64>,
    /// Minutes.
    pub duree_estimee: Option<i32>,
    /// Minutes.
    pub duree_reelle: Option<i32>,
    /// Centimes of MAD.
    pub cout_pieces: i64,
    /// Centimes of MAD.
    pub cout_main_oeuvre: i64,
    pub rapport_intervention: Option<String>,
}

impl Intervention {
    /// The intervention as its readers see it at `now`.
    #[must_use]
    pub fn seen_at(self, now: DateTime<Utc>) -> InterventionOut {
        let en_retard =
            !self.statut.is_terminal() && self.date_limite.is_some_and(|limite| limite < now);
        InterventionOut { intervention: self, en_retard }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct InterventionOut {
    #[serde(flatten)]
    pub intervention: Intervention,
    /// Past its `date_limite` and not over.
    pub en_retard: bool,
}

/// The fields that a list of interventions can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "titre",
    "type",
    "statut",
    "priorite",
    "urgence",
    "date_creation",
    "date_limite",
    "date_affectation",
    "date_debut_travaux",
    "date_cloture",
    "technicien_id",
    "equipement_id",
    "planning_id",
    "duree_estimee",
    "duree_reelle",
    "cout_pieces",
    "cout_main_oeuvre",
];
