//! E-mails: how they are rendered (`render`, from the Handlebars files of `templates/`) and sent
//! (`smtp`). Callers fill a context, render it, and send the result.

pub(crate) mod clean;
mod connect;
mod context;
mod conversation;
mod date;
mod helpers;
mod login;
mod message;
pub mod pace;
mod places;
mod render;
pub mod samples;
mod smtp;
mod template;
mod unsubscribe;
mod view;
mod words;

pub use context::{
    CompteMail, DigestLigne, DigestMail, DigestSection, GroupeLigne, GroupeMail, NotificationMail,
    PlanningLigne, PlanningSection,
};
pub use conversation::{Conversation, Transmission};
pub use date::{date, date_heure};
pub use login::Login;
pub use message::{Frozen, OutgoingMail};
pub use places::{Places, held};
pub use render::{Rendered, Renderer};
pub use smtp::{Mailer, SmtpConfig, SmtpTls};
pub use template::Template;
pub use unsubscribe::list_unsubscribe;

/// A new `Message-ID`. It is kept with the mail from its first transmission on, so that receivers can recognise a mail that
/// is sent again.
#[must_use]
pub fn message_id(domain: &str) -> String {
    format!("<{}@{domain}>", uuid::Uuid::now_v7())
}

/// The page of an intervention in the frontend.
#[must_use]
pub fn lien_intervention(frontend_url: &str, id: i64) -> String {
    format!("{}/interventions/{id}", frontend_url.trim_end_matches('/'))
}

/// The page of a planning in the frontend.
#[must_use]
pub fn lien_planning(frontend_url: &str, id: i64) -> String {
    format!("{}/planning/{id}", frontend_url.trim_end_matches('/'))
}
