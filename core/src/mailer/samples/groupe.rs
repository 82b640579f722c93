//! Contexts of the mail with several notifications.

use super::{at, hostile_text, visite};
use crate::Lang;
use crate::mailer::{GroupeLigne, GroupeMail, NotificationMail};

/// A mail of six notifications, of which it shows four.
#[must_use]
pub fn groupe(langue: Lang) -> GroupeMail {
    let ligne = |type_: &str, id: i64, titre: &str| GroupeLigne {
        type_: type_.into(),
        titre: titre.into(),
        intervention_id: Some(id),
        equipement: Some("Compresseur Atlas Copco GA 37".into()),
        localisation: Some("Casablanca, atelier 2".into()),
        date_limite: Some(at("2026-11-24T08:30:00Z")),
        contenu: None,
        lien: format!("https://erp.mif-maroc.example/interventions/{id}"),
    };
    let NotificationMail { titre, equipement, localisation, date_limite, lien, .. } =
        visite(langue);
    GroupeMail {
        langue,
        destinataire_nom: "Karim El Alaoui".into(),
        lignes: vec![
            ligne("affectation", 1042, "Fuite d’huile sur le compresseur de l’atelier 2"),
            ligne("retard", 998, "Roulement bruyant du convoyeur"),
            GroupeLigne {
                contenu: Some("Prévoir le kit de joints.\nLe badge est à l’accueil.".into()),
                ..ligne("affectation", 1043, "Remplacement des filtres")
            },
            GroupeLigne {
                type_: "rappel".into(),
                titre,
                intervention_id: None,
                equipement,
                localisation,
                date_limite,
                contenu: None,
                lien,
            },
        ],
        total: 6,
        lien: "https://erp.mif-maroc.example/notifications".into(),
    }
}

pub(super) fn sparse(langue: Lang) -> GroupeMail {
    let ligne = |type_: &str| GroupeLigne {
        type_: type_.into(),
        titre: "Pompe".into(),
        intervention_id: None,
        equipement: None,
        localisation: None,
        date_limite: None,
        contenu: None,
        lien: "http://localhost:5173/interventions/3".into(),
    };
    let lignes = vec![ligne("cloture"), ligne("alerte"), ligne("inconnu")];
    GroupeMail { total: 3, lignes, destinataire_nom: "Ali".into(), ..groupe(langue) }
}

pub(super) fn hostile(langue: Lang) -> GroupeMail {
    let mut mail = groupe(langue);
    mail.destinataire_nom = hostile_text();
    for ligne in &mut mail.lignes {
        ligne.titre = hostile_text();
        ligne.equipement = Some(hostile_text());
        ligne.localisation = Some(hostile_text());
        ligne.contenu = Some(hostile_text());
    }
    mail
}
