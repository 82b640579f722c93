//! The input of the requests about interventions.
use chrono::{DateTime, Utc};

use super::{Intervention, InterventionType, PrioriteIntervention, StatutIntervention};
use crate::input::{Centimes, Id, Input, Minutes, Patch, Trimmed};

#[derive(Debug, Clone, Input)]
pub struct InterventionCreate {
    #[input(as = Trimmed<200>)]
    pub titre: String,
    pub type_: InterventionType,
    #[input(as = Id)]
    pub equipement_id: i64,
    pub description: Option<String>,
    pub statut: Option<StatutIntervention>,
    #[input(or = PrioriteIntervention::Normale)]
    pub priorite: PrioriteIntervention,
    #[input(or = false)]
    pub urgence: bool,
    pub date_limite: Option<DateTime<Utc>>,
    #[input(as = Id)]
    pub technicien_id: Option<i64>,
    /// Minutes.
    #[input(as = Minutes)]
    pub duree_estimee: Option<i32>,
    /// Centimes of MAD.
    #[input(as = Centimes)]
    pub cout_estime: Option<i64>,
}

/// The fields that an edit changes.
#[derive(Debug, Clone, Input)]
#[input(changes = Intervention)]
pub struct InterventionUpdate {
    #[input(as = Trimmed<200>)]
    titre: Option<String>,
    description: Patch<String>,
    type_: Option<InterventionType>,
    priorite: Option<PrioriteIntervention>,
    urgence: Option<bool>,
    date_limite: Patch<DateTime<Utc>>,
    #[input(as = Id)]
    equipement_id: Option<i64>,
    #[input(as = Minutes)]
    duree_estimee: Patch<i32>,
    #[input(as = Minutes)]
    duree_reelle: Patch<i32>,
    #[input(as = Centimes)]
    cout_pieces: Option<i64>,
    #[input(as = Centimes)]
    cout_main_oeuvre: Option<i64>,
    #[input(as = Centimes)]
    cout_estime: Patch<i64>,
    rapport_intervention: Patch<String>,
    #[input(as = Id, apart)]
    pub(super) technicien_id: Patch<i64>,
    #[input(apart)]
    pub(super) statut: Option<StatutIntervention>,
}

/// The query of a change of status.
#[derive(Debug, Clone, Input)]
pub struct StatutChange {
    pub statut: StatutIntervention,
    pub remarque: Option<String>,
}

/// The body of an assignment: a technicien, or null for nobody. An absent field is a fault, since it would unassign by
/// accident.
#[derive(Debug, Clone, Input)]
pub struct Affectation {
    #[input(as = Id, present)]
    pub technicien_id: Option<i64>,
}
