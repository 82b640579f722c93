//! Invented contexts for every mail, for the tests and for `erp-worker preview-mails`: full, as
//! sparse as possible, and hostile; and `visite`, the second kind of reminder.

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

/// What a hostile user may type into a title.
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
    /// What the template is rendered with.
    pub context: MailContext,
}

/// The context of any mail, as [`super::Renderer::render`] takes it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum MailContext {
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
            let mut add = |name, context| {
                samples.push(Sample { template, name, langue, context });
            };
            match template {
                Template::DigestQuotidien => {
                    add("full", MailContext::Digest(digest(langue)));
                    add("sparse", MailContext::Digest(digest::sparse(langue)));
                    add("hostile", MailContext::Digest(digest::hostile(langue)));
                }
                Template::CompteMotDePasse
                | Template::CompteAppareil
                | Template::CompteOubli
                | Template::CompteInvitation
                | Template::CompteSecondFacteur
                | Template::CompteSecondFacteurRetire
                | Template::CompteCleApi
                | Template::CompteDonnees => {
                    add("full", MailContext::Compte(compte(langue)));
                    add("sparse", MailContext::Compte(compte::sparse(langue)));
                    add("hostile", MailContext::Compte(compte::hostile(langue)));
                }
                Template::NotificationGroupee => {
                    add("full", MailContext::Groupe(groupe(langue)));
                    add("sparse", MailContext::Groupe(groupe::sparse(langue)));
                    add("hostile", MailContext::Groupe(groupe::hostile(langue)));
                }
                _ => {
                    let full = notification(template, langue);
                    if template == Template::NotificationRappel {
                        add("visite", MailContext::Notification(visite(langue)));
                    }
                    add("hostile", MailContext::Notification(notification::hostile(&full)));
                    add("full", MailContext::Notification(full));
                    add("sparse", MailContext::Notification(notification::sparse(langue)));
                }
            }
        }
    }
    samples
}

/// [`HOSTILE`], longer than a one-line field may be, with a word that is longer than any line.
fn hostile_text() -> String {
    format!("{HOSTILE} {}", "Très-long-".repeat(50))
}

fn mensuelle(langue: Lang) -> &'static str {
    match langue {
        Lang::Fr => "Maintenance mensuelle",
        Lang::En => "Monthly maintenance",
    }
}

/// Parses an instant. A wrong one becomes 1970, which the tests of the rendered mails would show.
fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_default()
}
