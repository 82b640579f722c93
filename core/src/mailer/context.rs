//! The contexts of the mails: plain business values and the language of the reader. Labels and
//! dates become words of that language when a context is serialised (see `view`).

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::view;
use crate::Lang;

/// What the `notification_*` templates of one notification need.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "view::NotificationView")]
pub struct NotificationMail {
    /// The language of the reader.
    pub langue: Lang,
    /// Full name of the reader, for the greeting.
    pub destinataire_nom: String,
    /// Shown beside the title. A reminder without one is about a planned maintenance.
    pub intervention_id: Option<i64>,
    /// Title of the intervention or of the maintenance.
    pub titre: String,
    /// Name of the machine.
    pub equipement: Option<String>,
    /// Where the machine stands.
    pub localisation: Option<String>,
    /// Code of the priority (`urgente`, ...); the mail shows its label.
    pub priorite: Option<String>,
    /// Deadline, or planned date; shown in local time.
    pub date_limite: Option<DateTime<Utc>>,
    /// Full name of the assigned technician.
    pub technicien: Option<String>,
    /// A message somebody wrote, or the reason of an alert; shown as a quotation, with its line
    /// breaks and spaces as they are: French wants `\u{a0}` before a colon.
    pub contenu: Option<String>,
    /// Where the button leads, see [`super::lien_intervention`].
    pub lien: String,
}

/// What the `notification_groupee` template needs: several notifications in one mail.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "view::GroupeView")]
pub struct GroupeMail {
    /// The language of the reader.
    pub langue: Lang,
    /// Full name of the reader, for the greeting.
    pub destinataire_nom: String,
    /// Those shown, in the order they came; the mail groups them by type.
    pub lignes: Vec<GroupeLigne>,
    /// How many there are, shown or not.
    pub total: i64,
    /// Where the button leads: the list of notifications.
    pub lien: String,
}

/// One notification among several.
#[derive(Debug, Clone)]
pub struct GroupeLigne {
    /// Code of the type (`affectation`, ...); an unknown one counts as `information`.
    pub type_: String,
    /// Title of the intervention or of the maintenance.
    pub titre: String,
    /// Shown beside the title. A reminder without one is about a planned maintenance.
    pub intervention_id: Option<i64>,
    /// Name of the machine.
    pub equipement: Option<String>,
    /// Where the machine stands.
    pub localisation: Option<String>,
    /// Deadline, or planned date; shown in local time.
    pub date_limite: Option<DateTime<Utc>>,
    /// A message somebody wrote; only its beginning shows, on one line.
    pub contenu: Option<String>,
    /// Where the title leads, see [`super::lien_intervention`].
    pub lien: String,
}

/// What the `digest_quotidien` template needs.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "view::DigestView")]
pub struct DigestMail {
    /// The language of the reader.
    pub langue: Lang,
    /// Full name of the reader, for the greeting.
    pub destinataire_nom: String,
    /// The local day the digest is about.
    pub jour: NaiveDate,
    /// How many interventions are not finished.
    pub ouvertes: i64,
    /// Past their deadline.
    pub en_retard: DigestSection,
    /// Deadline today.
    pub echeance_du_jour: DigestSection,
    /// Without a technician.
    pub non_affectees: DigestSection,
    /// The visits of the next seven days.
    pub plannings: PlanningSection,
    /// Where the button leads: the list of interventions.
    pub lien: String,
    /// The address to unsubscribe at, for the footer; the same as in
    /// [`super::list_unsubscribe`].
    pub desabonnement: String,
}

/// One list of the digest: the first few, and how many there are in all.
#[derive(Debug, Clone, Default)]
pub struct DigestSection {
    /// How many there are, shown or not.
    pub total: i64,
    /// Those shown; about ten keep the mail readable.
    pub lignes: Vec<DigestLigne>,
}

/// One intervention in a list of the digest.
#[derive(Debug, Clone)]
pub struct DigestLigne {
    /// Title of the intervention.
    pub titre: String,
    /// Name of the machine.
    pub equipement: String,
    /// Where the machine stands.
    pub localisation: Option<String>,
    /// Code of the priority; the mail shows its label.
    pub priorite: String,
    /// Deadline; shown in local time.
    pub date_limite: Option<DateTime<Utc>>,
    /// Full name of the assigned technician.
    pub technicien: Option<String>,
    /// The intervention's page, see [`super::lien_intervention`].
    pub lien: String,
}

/// The visits of the digest: the first few, and how many there are in all.
#[derive(Debug, Clone, Default)]
pub struct PlanningSection {
    /// How many there are, shown or not.
    pub total: i64,
    /// Those shown.
    pub lignes: Vec<PlanningLigne>,
}

/// One planned visit in the digest.
#[derive(Debug, Clone)]
pub struct PlanningLigne {
    /// What it is, in the language of the reader (« Maintenance mensuelle »).
    pub titre: String,
    /// Name of the machine.
    pub equipement: String,
    /// Where the machine stands.
    pub localisation: Option<String>,
    /// When it is planned; shown in local time.
    pub date: DateTime<Utc>,
    /// The page of the plan.
    pub lien: String,
}

/// What the `compte_*` templates need.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "view::CompteView")]
pub struct CompteMail {
    /// The language of the reader.
    pub langue: Lang,
    /// Full name of the reader, for the greeting.
    pub destinataire_nom: String,
    /// When it happened; shown in local time.
    pub quand: DateTime<Utc>,
    /// The program it was done with, under the name that people know.
    pub appareil: Option<String>,
    /// The IP address it was done from.
    pub adresse: Option<String>,
    /// The name of who did it, if somebody else.
    pub auteur: Option<String>,
    /// Where the button leads: the application, or the page for a new password.
    pub lien: String,
}
