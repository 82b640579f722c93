//! What happens to machines: for each kind the regular visit, and what breaks or is improved.

mod energy;
mod handling;
mod process;

use erp_core::interventions::{InterventionType, PrioriteIntervention};

pub(super) use energy::{COMPRESSEUR, GROUPE_ELECTROGENE, GROUPE_FROID, TRANSFORMATEUR};
pub(super) use handling::{CHARIOT, CONVOYEUR, PONT, PRESSE};
pub(super) use process::{CHAUDIERE, FOUR, POMPE, TOUR};

/// A kind of machine.
#[derive(Debug)]
pub(super) struct Kind {
    pub nom: &'static str,
    /// The index of the skill that it needs.
    pub skill: usize,
    pub visit: Scenario,
    pub others: [Scenario; 4],
}

/// An intervention as it goes from request to report.
#[derive(Debug)]
pub(super) struct Scenario {
    pub type_: InterventionType,
    pub priorite: PrioriteIntervention,
    /// Empty for a regular visit, whose title names the machine.
    pub titre: &'static str,
    pub description: &'static str,
    pub rapport: &'static str,
    /// How long the work takes.
    pub minutes: i64,
    /// What the parts cost, in MAD.
    pub pieces: i64,
}

/// A fault that an operator mends with help by phone: nobody travels.
pub(super) static PAR_TELEPHONE: Scenario = intervention(
    (InterventionType::Corrective, PrioriteIntervention::Normale),
    "Défaut affiché au pupitre, machine arrêtée",
    "L'opérateur signale un défaut qui revient après acquittement. Pas de bruit ni d'odeur anormale.",
    "Dépannage guidé par téléphone : arrêt d'urgence resté enclenché côté expédition. Réarmement, défaut acquitté, production relancée sans déplacement.",
    20,
    0,
);

const fn visit(
    description: &'static str,
    rapport: &'static str,
    minutes: i64,
    pieces: i64,
) -> Scenario {
    let kind = (InterventionType::Preventive, PrioriteIntervention::Programmee);
    intervention(kind, "", description, rapport, minutes, pieces)
}

const fn intervention(
    (type_, priorite): (InterventionType, PrioriteIntervention),
    titre: &'static str,
    description: &'static str,
    rapport: &'static str,
    minutes: i64,
    pieces: i64,
) -> Scenario {
    Scenario { type_, priorite, titre, description, rapport, minutes, pieces }
}

/// Short names for the tables.
mod short {
    use super::{InterventionType, PrioriteIntervention};

    type What = (InterventionType, PrioriteIntervention);

    pub(super) const PANNE_URGENTE: What =
        (InterventionType::Corrective, PrioriteIntervention::Urgente);
    pub(super) const PANNE_HAUTE: What =
        (InterventionType::Corrective, PrioriteIntervention::Haute);
    pub(super) const PANNE: What = (InterventionType::Corrective, PrioriteIntervention::Normale);
    pub(super) const DIAGNOSTIC: What =
        (InterventionType::Diagnostic, PrioriteIntervention::Normale);
    pub(super) const DIAGNOSTIC_HAUT: What =
        (InterventionType::Diagnostic, PrioriteIntervention::Haute);
    pub(super) const AMELIORATION: What =
        (InterventionType::Ameliorative, PrioriteIntervention::Basse);
}
