//! The states and priorities of the business, as words.
use erp_core::{
    Lang,
    documents::StatutDocument,
    interventions::{PrioriteIntervention, StatutIntervention},
    planning::StatutPlanning,
};
use maud::{Markup, html};

/// The state of an intervention, as a word and a colour.
pub fn intervention(langue: Lang, statut: StatutIntervention) -> Markup {
    let (colour, fr, en) = match statut {
        StatutIntervention::Ouverte => ("ready", "ouverte", "open"),
        StatutIntervention::Affectee => ("ready", "affectée", "assigned"),
        StatutIntervention::EnCours => ("running", "en cours", "in progress"),
        StatutIntervention::EnAttente => ("retrying", "en attente", "on hold"),
        StatutIntervention::Cloturee => ("done", "clôturée", "closed"),
        StatutIntervention::Annulee => ("cancelled", "annulée", "cancelled"),
        StatutIntervention::Archivee => ("cancelled", "archivée", "archived"),
    };
    state(colour, langue.choose(fr, en))
}

/// The priority of an intervention.
pub fn priorite(langue: Lang, priorite: PrioriteIntervention) -> &'static str {
    match priorite {
        PrioriteIntervention::Urgente => langue.choose("urgente", "urgent"),
        PrioriteIntervention::Haute => langue.choose("haute", "high"),
        PrioriteIntervention::Normale => langue.choose("normale", "normal"),
        PrioriteIntervention::Basse => langue.choose("basse", "low"),
        PrioriteIntervention::Programmee => langue.choose("programmée", "planned"),
    }
}

/// The state of a planning.
pub fn planning(langue: Lang, statut: StatutPlanning) -> Markup {
    let (colour, fr, en) = match statut {
        StatutPlanning::Actif => ("done", "actif", "active"),
        StatutPlanning::Suspendu => ("cancelled", "suspendu", "paused"),
        StatutPlanning::Termine => ("cancelled", "terminé", "ended"),
        StatutPlanning::EnRetard => ("alerte", "en retard", "late"),
    };
    state(colour, langue.choose(fr, en))
}

/// The state of a document.
pub fn document(langue: Lang, status: StatutDocument) -> Markup {
    let (colour, fr, en) = match status {
        StatutDocument::Pending => ("ready", "en attente", "waits"),
        StatutDocument::Processing => ("running", "en traitement", "being processed"),
        StatutDocument::Ready => ("done", "prêt", "ready"),
        StatutDocument::Failed => ("dead", "refusé", "refused"),
    };
    state(colour, langue.choose(fr, en))
}

fn state(colour: &str, word: &str) -> Markup {
    html! { span class={ "etat " (colour) } { (word) } }
}
