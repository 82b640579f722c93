//! Contexts of the mails to the owner of an account.

use super::{at, hostile_text};
use crate::{Lang, mailer::CompteMail};

/// A sign-in, or a new password, with every field set.
#[must_use]
pub fn compte(langue: Lang) -> CompteMail {
    CompteMail {
        langue,
        destinataire_nom: "Nadia Tazi".into(),
        quand: at("2026-11-24T08:12:00Z"),
        appareil: Some("Firefox, Windows".into()),
        adresse: Some("203.0.113.7".into()),
        auteur: Some("Youssef Bennani".into()),
        lien: "https://erp.mif-maroc.example".into(),
    }
}

pub(super) fn sparse(langue: Lang) -> CompteMail {
    CompteMail { appareil: None, adresse: None, auteur: None, ..compte(langue) }
}

pub(super) fn hostile(langue: Lang) -> CompteMail {
    CompteMail {
        destinataire_nom: hostile_text(),
        appareil: Some(hostile_text()),
        auteur: Some(hostile_text()),
        ..compte(langue)
    }
}
