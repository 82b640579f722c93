//! Contexts of the digest.

use super::{at, hostile_text, mensuelle};
use crate::Lang;
use crate::mailer::{DigestLigne, DigestMail, DigestSection, PlanningLigne, PlanningSection};

/// A digest with something in each of its lists.
#[must_use]
pub fn digest(langue: Lang) -> DigestMail {
    let ligne = |titre: &str, date_limite: Option<&str>| DigestLigne {
        titre: titre.into(),
        equipement: "Compresseur Atlas Copco GA 37".into(),
        localisation: date_limite.map(|_| "Casablanca, atelier 2".into()),
        priorite: "urgente".into(),
        date_limite: date_limite.map(at),
        technicien: date_limite.map(|_| "Salma Bennani".into()),
        lien: "https://erp.mif-maroc.example/interventions/1042".into(),
    };
    let fuite = "Fuite d’huile sur le compresseur de l’atelier 2";
    let bruyant = "Roulement bruyant du convoyeur";
    DigestMail {
        langue,
        destinataire_nom: "Nadia Tazi".into(),
        jour: at("2026-11-24T08:00:00Z").date_naive(),
        ouvertes: 128,
        en_retard: DigestSection {
            total: 12,
            lignes: vec![
                ligne(fuite, Some("2026-11-23T16:00:00Z")),
                ligne(bruyant, Some("2026-11-23T17:30:00Z")),
            ],
        },
        echeance_du_jour: DigestSection {
            total: 1,
            lignes: vec![ligne("Remplacement des filtres", Some("2026-11-24T17:00:00Z"))],
        },
        non_affectees: DigestSection { total: 3, lignes: vec![ligne(bruyant, None)] },
        plannings: PlanningSection {
            total: 4,
            lignes: vec![PlanningLigne {
                titre: mensuelle(langue).into(),
                equipement: "Compresseur Atlas Copco GA 37".into(),
                localisation: Some("Casablanca, atelier 2".into()),
                date: at("2026-11-26T08:00:00Z"),
                lien: "https://erp.mif-maroc.example/planning/3".into(),
            }],
        },
        lien: "https://erp.mif-maroc.example/interventions".into(),
        desabonnement: format!(
            "https://erp.mif-maroc.example/desabonnement?jeton={}",
            "eyJhbGciOiJFZERTQSJ9".repeat(15)
        ),
    }
}

/// One visit and nothing else: with less, the digest is not sent.
pub(super) fn sparse(langue: Lang) -> DigestMail {
    let mut mail = digest(langue);
    mail.ouvertes = 0;
    mail.plannings.total = 1;
    mail.plannings.lignes[0].localisation = None;
    let none = DigestSection::default;
    DigestMail { en_retard: none(), echeance_du_jour: none(), non_affectees: none(), ..mail }
}

pub(super) fn hostile(langue: Lang) -> DigestMail {
    let mut mail = digest(langue);
    mail.destinataire_nom = hostile_text();
    let sections = [&mut mail.en_retard, &mut mail.echeance_du_jour, &mut mail.non_affectees];
    for ligne in sections.into_iter().flat_map(|section| &mut section.lignes) {
        ligne.titre = hostile_text();
        ligne.equipement = hostile_text();
        ligne.localisation = Some(hostile_text());
        ligne.priorite = hostile_text();
        ligne.technicien = Some(hostile_text());
    }
    for ligne in &mut mail.plannings.lignes {
        ligne.titre = hostile_text();
        ligne.equipement = hostile_text();
        ligne.localisation = Some(hostile_text());
    }
    mail
}
