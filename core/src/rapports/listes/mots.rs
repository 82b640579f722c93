//! The words for the codes of the contract.
use crate::Lang;

/// The words for `code`; one that is not known is its own word.
pub(super) fn mot(code: &str, langue: Lang) -> &str {
    let found = MOTS.iter().find(|(known, ..)| *known == code);
    found.map_or(code, |(_, fr, en)| langue.choose(fr, en))
}

const MOTS: &[(&str, &str, &str)] = &[
    // Interventions.
    ("corrective", "Corrective", "Corrective"),
    ("preventive", "Préventive", "Preventive"),
    ("ameliorative", "Améliorative", "Improvement"),
    ("diagnostic", "Diagnostic", "Diagnosis"),
    ("ouverte", "Ouverte", "Open"),
    ("affectee", "Affectée", "Assigned"),
    ("en_cours", "En cours", "In progress"),
    ("en_attente", "En attente", "On hold"),
    ("cloturee", "Clôturée", "Closed"),
    ("annulee", "Annulée", "Cancelled"),
    ("archivee", "Archivée", "Archived"),
    ("urgente", "Urgente", "Urgent"),
    ("haute", "Haute", "High"),
    ("normale", "Normale", "Normal"),
    ("basse", "Basse", "Low"),
    ("programmee", "Programmée", "Scheduled"),
    // Machines.
    ("operationnel", "Opérationnel", "Operational"),
    ("maintenance", "En maintenance", "In maintenance"),
    ("panne", "En panne", "Broken down"),
    ("retire", "Retiré", "Retired"),
    ("critique", "Critique", "Critical"),
    ("important", "Important", "Important"),
    ("standard", "Standard", "Standard"),
    ("non_critique", "Non critique", "Not critical"),
    // Techniciens.
    ("disponible", "Disponible", "Available"),
    ("occupe", "Occupé", "Busy"),
    ("conge", "En congé", "On leave"),
    ("formation", "En formation", "In training"),
    ("indisponible", "Indisponible", "Unavailable"),
    // Clients.
    ("entreprise", "Entreprise", "Company"),
    ("collectivite", "Collectivité", "Public body"),
    ("association", "Association", "Association"),
    ("particulier", "Particulier", "Private person"),
    ("premium", "Premium", "Premium"),
    ("basique", "Basique", "Basic"),
    // Plannings.
    ("journalier", "Journalière", "Daily"),
    ("hebdomadaire", "Hebdomadaire", "Weekly"),
    ("mensuelle", "Mensuelle", "Monthly"),
    ("trimestrielle", "Trimestrielle", "Quarterly"),
    ("semestrielle", "Semestrielle", "Half-yearly"),
    ("annuelle", "Annuelle", "Yearly"),
    ("actif", "Actif", "Active"),
    ("suspendu", "Suspendu", "Suspended"),
    ("termine", "Terminé", "Ended"),
    ("en_retard", "En retard", "Overdue"),
    // Documents.
    ("pending", "En attente", "Pending"),
    ("processing", "En traitement", "Processing"),
    ("ready", "Prêt", "Ready"),
    ("failed", "Échoué", "Failed"),
    // Notifications.
    ("affectation", "Affectation", "Assignment"),
    ("cloture", "Clôture", "Closure"),
    ("rappel", "Rappel", "Reminder"),
    ("retard", "Retard", "Overdue"),
    ("alerte", "Alerte", "Alert"),
    ("information", "Information", "Notice"),
    ("email", "E-mail", "E-mail"),
    ("log", "Journal", "Log"),
    ("en_file", "En file", "Queued"),
    ("envoyee", "Envoyée", "Sent"),
    ("echouee", "Échouée", "Failed"),
    ("incertaine", "Incertaine", "Uncertain"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clients::{NiveauService, TypeClient},
        documents::StatutDocument,
        equipements::{CriticiteEquipement, StatutEquipement},
        interventions::{InterventionType, PrioriteIntervention, StatutIntervention},
        notifications::{CanalNotification, StatutNotification, TypeNotification},
        planning::StatutPlanning,
        techniciens::DisponibiliteTechnicien,
    };

    #[test]
    fn every_code_has_its_words() {
        let codes = [
            InterventionType::TEXTS,
            StatutIntervention::TEXTS,
            PrioriteIntervention::TEXTS,
            StatutEquipement::TEXTS,
            CriticiteEquipement::TEXTS,
            DisponibiliteTechnicien::TEXTS,
            TypeClient::TEXTS,
            NiveauService::TEXTS,
            StatutPlanning::TEXTS,
            StatutDocument::TEXTS,
            TypeNotification::TEXTS,
            CanalNotification::TEXTS,
            StatutNotification::TEXTS,
        ];
        for code in codes.into_iter().flatten() {
            assert_ne!(mot(code, Lang::Fr), *code);
            assert_ne!(mot(code, Lang::En), *code);
        }
        let mut seen: Vec<_> = MOTS.iter().map(|(code, ..)| code).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), MOTS.len(), "one meaning for each code");
        assert_eq!(mot("nouveau", Lang::Fr), "nouveau");
    }
}
