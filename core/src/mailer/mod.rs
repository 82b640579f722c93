//! E-mails: what they say (`render`, over the Handlebars files of `templates/`) and how they
//! leave (`smtp`). Callers fill a context, render it, and send the result.

pub(crate) mod clean;
mod context;
mod date;
mod helpers;
mod message;
mod render;
pub mod samples;
mod smtp;
mod template;
mod unsubscribe;
mod vue;
mod words;

pub use context::{
    DigestLigne, DigestMail, DigestSection, GroupeLigne, GroupeMail, NotificationMail,
    PlanningLigne, PlanningSection,
};
pub use date::{date, date_heure};
pub use message::OutgoingMail;
pub use render::{Rendered, Renderer};
pub use smtp::{Mailer, SmtpConfig, SmtpTls};
pub use template::Template;
pub use unsubscribe::list_unsubscribe;

/// The `Message-ID` of a notification: the same at every attempt, so that a mail sent twice
/// is recognised as one by those who receive it.
#[must_use]
pub fn message_id(notification_id: i64, domain: &str) -> String {
    format!("<notification-{notification_id}@{domain}>")
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

/// The `Message-ID` of somebody's digest of a day: the same at every attempt.
#[must_use]
pub fn digest_id(user_id: i64, jour: chrono::NaiveDate, domain: &str) -> String {
    format!("<digest-{user_id}-{jour}@{domain}>")
}
