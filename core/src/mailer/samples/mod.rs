//! Invented contexts for every mail: what the tests render, and `erp-worker preview-mails` shows.
//! Full, as sparse as it gets, hostile; and a case of its own where a mail knows two.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{CompteMail, DigestMail, GroupeMail, NotificationMail, Template};
use crate::Lang;

mod compte;
mod digest;
mod groupe;
mod notification;

pub use compte::compte;
pub use digest::digest;
pub use groupe::groupe;
pub use notification::{notification, visite};

/// What somebody may type into a title.
pub const HOSTILE: &str = "<script>alert(\"x\")</script> & {{lien}} 'é'\r\nBcc: x@y.ma \
                           \u{202e}fdp.exe 👩\u{200d}🔧 مضخة";

/// A template with a context that fits it.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The mail.
    pub template: Template,
    /// `full`, `sparse`, `hostile` or `visite`.
    pub name: &'static str,
    /// The language of its reader.
    pub langue: Lang,
    /// What the mail is told.
    pub contexte: Contexte,
}

/// The context of any mail, as [`super::Renderer::render`] takes it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Contexte {
    /// For `notification_*`.
    Notification(NotificationMail),
    /// For `notification_groupee`.
    Groupe(GroupeMail),
    /// For `digest_quotidien`.
    Digest(DigestMail),
    /// For `compte_*`.
    Compte(CompteMail),
}

/// Every template, with every sample that fits it, in every language.
#[must_use]
pub fn all() -> Vec<Sample> {
    let mut samples = Vec::new();
    for template in Template::ALL {
        for langue in [Lang::Fr, Lang::En] {
            let mut add = |name, contexte| {
                samples.push(Sample { template, name, langue, contexte });
            };
            match template {
                Template::DigestQuotidien => {
                    add("full", Contexte::Digest(digest(langue)));
                    add("sparse", Contexte::Digest(digest::sparse(langue)));
                    add("hostile", Contexte::Digest(digest::hostile(langue)));
                }
                Template::CompteMotDePasse | Template::CompteAppareil => {
                    add("full", Contexte::Compte(compte(langue)));
                    add("sparse", Contexte::Compte(compte::sparse(langue)));
                    add("hostile", Contexte::Compte(compte::hostile(langue)));
                }
                Template::NotificationGroupee => {
                    add("full", Contexte::Groupe(groupe(langue)));
                    add("sparse", Contexte::Groupe(groupe::sparse(langue)));
                    add("hostile", Contexte::Groupe(groupe::hostile(langue)));
                }
                _ => {
                    let full = notification(template, langue);
                    if template == Template::NotificationRappel {
                        add("visite", Contexte::Notification(visite(langue)));
                    }
                    add("hostile", Contexte::Notification(notification::hostile(&full)));
                    add("full", Contexte::Notification(full));
                    add("sparse", Contexte::Notification(notification::sparse(langue)));
                }
            }
        }
    }
    samples
}

/// [`HOSTILE`], longer than any field may be, with a word that no line can hold.
fn hostile_text() -> String {
    format!("{HOSTILE} {}", "Très-long-".repeat(50))
}

fn mensuelle(langue: Lang) -> &'static str {
    match langue {
        Lang::Fr => "Maintenance mensuelle",
        Lang::En => "Monthly maintenance",
    }
}

/// An instant that is written right: the tests read what the mails make of it.
fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_default()
}
