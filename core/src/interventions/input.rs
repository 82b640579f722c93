//! What can be asked of an intervention.
use chrono::{DateTime, Utc};

use super::{Intervention, InterventionType, PrioriteIntervention, StatutIntervention};
use crate::described;
use crate::input::{Centimes, Fields, Id, Input, Line, Minutes, Patch};

#[derive(Debug, Clone)]
pub struct InterventionCreate {
    pub titre: String,
    pub type_: InterventionType,
    pub equipement_id: i64,
    pub description: Option<String>,
    pub statut: Option<StatutIntervention>,
    pub priorite: PrioriteIntervention,
    pub urgence: bool,
    pub date_limite: Option<DateTime<Utc>>,
    pub technicien_id: Option<i64>,
    /// Minutes.
    pub duree_estimee: Option<i32>,
    /// Centimes of MAD.
    pub cout_estime: Option<i64>,
}

described!(InterventionCreate, InterventionUpdate, Affectation);

impl Input for InterventionCreate {
    fn read(fields: &mut Fields) -> Option<Self> {
        let titre = fields.required::<Line<200>>("titre");
        let type_ = fields.required("type");
        let equipement_id = fields.required::<Id>("equipement_id");
        let description = fields.optional("description");
        let statut = fields.optional("statut");
        let priorite = fields.or("priorite", PrioriteIntervention::Normale);
        let urgence = fields.or("urgence", false);
        let date_limite = fields.optional("date_limite");
        let technicien_id = fields.optional::<Id>("technicien_id");
        let duree_estimee = fields.optional::<Minutes>("duree_estimee");
        let cout_estime = fields.optional::<Centimes>("cout_estime");
        Some(Self {
            titre: titre?.0,
            type_: type_?,
            equipement_id: equipement_id?.0,
            description: description?,
            statut: statut?,
            priorite: priorite?,
            urgence: urgence?,
            date_limite: date_limite?,
            technicien_id: technicien_id?.map(|id| id.0),
            duree_estimee: duree_estimee?.map(|m| m.0),
            cout_estime: cout_estime?.map(|c| c.0),
        })
    }
}

/// What an edit changes.
#[derive(Debug, Clone)]
pub struct InterventionUpdate {
    titre: Patch<Line<200>>,
    description: Patch<String>,
    type_: Patch<InterventionType>,
    priorite: Patch<PrioriteIntervention>,
    urgence: Patch<bool>,
    date_limite: Patch<DateTime<Utc>>,
    equipement_id: Patch<Id>,
    duree_estimee: Patch<Minutes>,
    duree_reelle: Patch<Minutes>,
    cout_pieces: Patch<Centimes>,
    cout_main_oeuvre: Patch<Centimes>,
    cout_estime: Patch<Centimes>,
    rapport_intervention: Patch<String>,
    pub(super) technicien_id: Patch<Id>,
    pub(super) statut: Option<StatutIntervention>,
}

impl Input for InterventionUpdate {
    fn read(fields: &mut Fields) -> Option<Self> {
        let titre = fields.set("titre");
        let description = fields.patch("description");
        let type_ = fields.set("type");
        let priorite = fields.set("priorite");
        let urgence = fields.set("urgence");
        let date_limite = fields.patch("date_limite");
        let equipement_id = fields.set("equipement_id");
        let duree_estimee = fields.patch("duree_estimee");
        let duree_reelle = fields.patch("duree_reelle");
        let cout_pieces = fields.set("cout_pieces");
        let cout_main_oeuvre = fields.set("cout_main_oeuvre");
        let cout_estime = fields.patch("cout_estime");
        let rapport_intervention = fields.patch("rapport_intervention");
        let technicien_id = fields.patch("technicien_id");
        let statut = fields.optional("statut");
        Some(Self {
            titre: titre?,
            description: description?,
            type_: type_?,
            priorite: priorite?,
            urgence: urgence?,
            date_limite: date_limite?,
            equipement_id: equipement_id?,
            duree_estimee: duree_estimee?,
            duree_reelle: duree_reelle?,
            cout_pieces: cout_pieces?,
            cout_main_oeuvre: cout_main_oeuvre?,
            cout_estime: cout_estime?,
            rapport_intervention: rapport_intervention?,
            technicien_id: technicien_id?,
            statut: statut?,
        })
    }
}

impl InterventionUpdate {
    /// What `old` becomes; status and technicien are steps of their own.
    pub(super) fn over(self, old: Intervention) -> Intervention {
        Intervention {
            titre: self.titre.map(|l| l.0).or_keep(old.titre),
            description: self.description.over(old.description),
            type_: self.type_.or_keep(old.type_),
            priorite: self.priorite.or_keep(old.priorite),
            urgence: self.urgence.or_keep(old.urgence),
            date_limite: self.date_limite.over(old.date_limite),
            equipement_id: self.equipement_id.map(|id| id.0).or_keep(old.equipement_id),
            duree_estimee: self.duree_estimee.over_with(old.duree_estimee, |m| m.0),
            duree_reelle: self.duree_reelle.over_with(old.duree_reelle, |m| m.0),
            cout_pieces: self.cout_pieces.map(|c| c.0).or_keep(old.cout_pieces),
            cout_main_oeuvre: self.cout_main_oeuvre.map(|c| c.0).or_keep(old.cout_main_oeuvre),
            cout_estime: self.cout_estime.over_with(old.cout_estime, |c| c.0),
            rapport_intervention: self.rapport_intervention.over(old.rapport_intervention),
            ..old
        }
    }
}

/// The query of a change of status.
#[derive(Debug, Clone)]
pub struct StatutChange {
    pub statut: StatutIntervention,
    pub remarque: Option<String>,
}

impl Input for StatutChange {
    fn read(fields: &mut Fields) -> Option<Self> {
        let statut = fields.required("statut");
        let remarque = fields.optional("remarque");
        Some(Self { statut: statut?, remarque: remarque? })
    }
}

/// The body of an assignment: a technicien, or null for nobody. Absent is a fault: it would unassign by accident.
#[derive(Debug, Clone)]
pub struct Affectation {
    pub technicien_id: Option<i64>,
}

impl Input for Affectation {
    fn read(fields: &mut Fields) -> Option<Self> {
        let technicien_id = fields.present::<Id>("technicien_id")?;
        Some(Self { technicien_id: technicien_id.map(|id| id.0) })
    }
}
