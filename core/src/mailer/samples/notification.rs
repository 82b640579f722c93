//! Contexts of the mails with one notification.

use super::{at, hostile_text, mensuelle};
use crate::Lang;
use crate::mailer::{NotificationMail, Template};

/// A notification that has everything its type can have.
#[must_use]
pub fn notification(template: Template, langue: Lang) -> NotificationMail {
    let (contenu, technicien) = match template {
        Template::NotificationAlerte => (
            match langue {
                Lang::Fr => {
                    "Sans technicien depuis 4\u{a0}h\u{a0}10 (objectif\u{a0}: 2\u{a0}h). Niveau 2 sur 3."
                }
                Lang::En => "No technician for 4\u{a0}h\u{a0}10 (target: 2\u{a0}h). Level 2 of 3.",
            },
            None,
        ),
        _ => (
            "Prévoir le kit de joints.\nLe badge du site est à l’accueil.",
            Some("Salma Bennani".to_owned()),
        ),
    };
    NotificationMail {
        langue,
        destinataire_nom: "Karim El Alaoui".into(),
        intervention_id: Some(1042),
        titre: "Fuite d’huile sur le compresseur de l’atelier 2".into(),
        equipement: Some("Compresseur Atlas Copco GA 37".into()),
        localisation: Some("Usine de Casablanca, atelier 2, travée C".into()),
        priorite: Some("urgente".into()),
        date_limite: Some(at("2026-11-24T08:30:00Z")),
        technicien,
        contenu: Some(contenu.into()),
        lien: "https://erp.mif-maroc.example/interventions/1042".into(),
    }
}

/// The reminder of a planned maintenance, which is no intervention yet.
#[must_use]
pub fn visite(langue: Lang) -> NotificationMail {
    NotificationMail {
        intervention_id: None,
        titre: mensuelle(langue).into(),
        priorite: None,
        technicien: None,
        contenu: None,
        lien: "https://erp.mif-maroc.example/planning/3".into(),
        ..notification(Template::NotificationRappel, langue)
    }
}

pub(super) fn sparse(langue: Lang) -> NotificationMail {
    NotificationMail {
        langue,
        destinataire_nom: "Ali".into(),
        intervention_id: None,
        titre: "Pompe".into(),
        equipement: None,
        localisation: None,
        priorite: None,
        date_limite: None,
        technicien: None,
        contenu: None,
        lien: "http://localhost:5173/planning/3".into(),
    }
}

pub(super) fn hostile(full: &NotificationMail) -> NotificationMail {
    NotificationMail {
        destinataire_nom: hostile_text(),
        titre: hostile_text(),
        equipement: Some(hostile_text()),
        localisation: Some(hostile_text()),
        priorite: Some(hostile_text()),
        technicien: full.technicien.as_ref().map(|_| hostile_text()),
        contenu: Some(hostile_text()),
        ..full.clone()
    }
}
