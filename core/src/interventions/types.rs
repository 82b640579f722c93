//! What an intervention is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Sla, StatutIntervention};
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
    /// When somebody took it up, for the first time.
    #[serde(skip)]
    pub(super) prise_en_charge_le: Option<DateTime<Utc>>,
    /// What the response clock showed then.
    #[serde(skip)]
    pub(super) prise_en_charge_secondes: Option<i64>,
    /// Since when the response clock stands still.
    #[serde(skip)]
    pub(super) attente_depuis: Option<DateTime<Utc>>,
    /// How long it has stood still before.
    #[serde(skip)]
    pub(super) attente_secondes: i64,
}

impl Intervention {
    /// The intervention as its readers see it at `now`.
    #[must_use]
    pub fn seen_at(self, now: DateTime<Utc>, sla: &Sla) -> InterventionOut {
        let en_retard =
            !self.statut.is_terminal() && self.date_limite.is_some_and(|limite| limite < now);
        let sla_echeance = self.sla_echeance(sla, now);
        let sla_respecte = self.sla_respecte(sla, now);
        InterventionOut { intervention: self, en_retard, sla_echeance, sla_respecte }
    }

    /// One that was just opened.
    #[cfg(test)]
    pub(super) fn sample() -> Self {
        Self {
            id: 1,
            titre: "Fuite".to_owned(),
            description: None,
            type_: InterventionType::Corrective,
            statut: StatutIntervention::Ouverte,
            priorite: PrioriteIntervention::Normale,
            urgence: false,
            date_creation: DateTime::UNIX_EPOCH,
            date_limite: None,
            date_affectation: None,
            date_debut_travaux: None,
            date_cloture: None,
            technicien_id: None,
            equipement_id: 1,
            planning_id: None,
            createur_id: None,
            duree_estimee: None,
            duree_reelle: None,
            cout_pieces: 0,
            cout_main_oeuvre: 0,
            rapport_intervention: None,
            prise_en_charge_le: None,
            prise_en_charge_secondes: None,
            attente_depuis: None,
            attente_secondes: 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct InterventionOut {
    #[serde(flatten)]
    pub intervention: Intervention,
    /// Past its `date_limite` and not over.
    pub en_retard: bool,
    /// Until when somebody must take it up, by its priority; none for what is planned.
    pub sla_echeance: Option<DateTime<Utc>>,
    /// Whether somebody took it up in time; null while there is time left.
    pub sla_respecte: Option<bool>,
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
