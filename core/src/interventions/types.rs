//! The types of an intervention: its row, and what its readers see.
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::StatutIntervention;
use crate::{
    config::Sla, enumeration, enumeration_field, page::Columns, version::Versioned, versioned,
};

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
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
    /// Centimes of MAD; null where nobody has estimated it.
    pub cout_estime: Option<i64>,
    pub rapport_intervention: Option<String>,
    pub travaux_realises: Option<String>,
    pub recommandations: Option<String>,
    /// Minutes on the road.
    pub temps_deplacement: Option<i32>,
    /// Of the client: 1 to 5.
    pub satisfaction: Option<i16>,
    /// What an edit names in `If-Match`: raised whenever something changes.
    pub version: i64,
    /// When it was first taken up.
    #[serde(skip)]
    pub(super) prise_en_charge_le: Option<DateTime<Utc>>,
    /// Its response time: the seconds that the response clock had counted by then.
    #[serde(skip)]
    pub(super) prise_en_charge_secondes: Option<i64>,
    /// Since when the response clock has been stopped; null while it runs.
    #[serde(skip)]
    pub(super) attente_depuis: Option<DateTime<Utc>>,
    /// The seconds of all earlier stops of the response clock.
    #[serde(skip)]
    pub(super) attente_secondes: i64,
    // From the rows that it refers to, by joins. A step that changes a reference reads the intervention again.
    #[serde(skip)]
    #[columns(beside = "e.nom")]
    pub(super) equipement_nom: String,
    #[serde(skip)]
    #[columns(beside = "e.localisation")]
    pub(super) equipement_localisation: String,
    #[serde(skip)]
    #[columns(beside = "c.id")]
    pub(super) client_id: Option<i64>,
    #[serde(skip)]
    #[columns(beside = "c.nom_entreprise")]
    pub(super) client_nom: Option<String>,
    #[serde(skip)]
    #[columns(beside = "t.equipe")]
    pub(super) technicien_equipe: Option<String>,
    #[serde(skip)]
    #[columns(beside = "u.full_name")]
    pub(super) technicien_nom: Option<String>,
}

impl Intervention {
    /// The intervention as its readers see it at `now`.
    #[must_use]
    pub fn seen_at(self, now: DateTime<Utc>, sla: &Sla) -> InterventionOut {
        let en_retard =
            !self.statut.is_terminal() && self.date_limite.is_some_and(|limite| limite < now);
        let sla_echeance = self.sla_echeance(sla, now);
        let sla_respecte = self.sla_respecte(sla, now);
        let cout_reel = self.cout_pieces.saturating_add(self.cout_main_oeuvre);
        InterventionOut {
            en_retard,
            sla_echeance,
            sla_respecte,
            cout_reel,
            cout_pieces_mad: mad(self.cout_pieces),
            cout_main_oeuvre_mad: mad(self.cout_main_oeuvre),
            cout_estime_mad: self.cout_estime.map(mad),
            cout_reel_mad: mad(cout_reel),
            technicien: self.technicien(),
            equipement: EquipementDe {
                id: self.equipement_id,
                nom: self.equipement_nom.clone(),
                localisation: self.equipement_localisation.clone(),
            },
            client: self.client(),
            intervention: self,
        }
    }

    fn technicien(&self) -> Option<TechnicienDe> {
        Some(TechnicienDe {
            id: self.technicien_id?,
            full_name: self.technicien_nom.clone()?,
            equipe: self.technicien_equipe.clone(),
        })
    }

    fn client(&self) -> Option<ClientDe> {
        Some(ClientDe { id: self.client_id?, nom_entreprise: self.client_nom.clone()? })
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
            cout_estime: None,
            rapport_intervention: None,
            travaux_realises: None,
            recommandations: None,
            temps_deplacement: None,
            satisfaction: None,
            version: 1,
            prise_en_charge_le: None,
            prise_en_charge_secondes: None,
            attente_depuis: None,
            attente_secondes: 0,
            equipement_nom: "Pompe".to_owned(),
            equipement_localisation: "Safi".to_owned(),
            client_id: None,
            client_nom: None,
            technicien_equipe: None,
            technicien_nom: None,
        }
    }
}

/// Centimes as a decimal text: 28830 is `288.30`.
pub(crate) fn mad(centimes: i64) -> String {
    let sign = if centimes < 0 { "-" } else { "" };
    let centimes = centimes.unsigned_abs();
    format!("{sign}{}.{:02}", centimes / 100, centimes % 100)
}

versioned!(Intervention);

/// The technicien of an intervention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TechnicienDe {
    pub id: i64,
    pub full_name: String,
    pub equipe: Option<String>,
}

/// The machine of an intervention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EquipementDe {
    pub id: i64,
    pub nom: String,
    pub localisation: String,
}

/// The client whose machine it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ClientDe {
    pub id: i64,
    pub nom_entreprise: String,
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
    /// Parts and labour: centimes of MAD.
    pub cout_reel: i64,
    /// MAD, with two decimals.
    pub cout_pieces_mad: String,
    /// MAD, with two decimals.
    pub cout_main_oeuvre_mad: String,
    /// MAD, with two decimals.
    pub cout_estime_mad: Option<String>,
    /// MAD, with two decimals.
    pub cout_reel_mad: String,
    /// Whose it is; null: nobody's.
    pub technicien: Option<TechnicienDe>,
    pub equipement: EquipementDe,
    /// Null where the machine is no client's.
    pub client: Option<ClientDe>,
}

impl Versioned for InterventionOut {
    fn version(&self) -> i64 {
        self.intervention.version
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centimes_are_shown_with_two_decimals() {
        let shown = [0, 5, 99, 100, 28_830, 1_000_000_000_000, -250].map(mad);
        assert_eq!(shown, ["0.00", "0.05", "0.99", "1.00", "288.30", "10000000000.00", "-2.50"]);
    }
}
