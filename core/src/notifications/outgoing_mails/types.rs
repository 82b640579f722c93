//! The types of mails, in the program and for operators.
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sqlx::types::Json;
use uuid::Uuid;

use crate::{
    enumeration, enumeration_field,
    input::{Id, Input},
    page::{Columns, Page},
};

enumeration! {
    StatutEnvoi {
        EnFile = "en_file",
        EnTransmission = "en_transmission",
        Envoyee = "envoyee",
        Echouee = "echouee",
        Incertaine = "incertaine",
        Annulee = "annulee",
    }
}
enumeration_field!(StatutEnvoi);

/// What happened to an account, for a mail to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountEvent {
    /// It has a new password.
    MotDePasse,
    /// Somebody signed in from a new device.
    NouvelAppareil,
    /// A link for a new password was asked for.
    Oubli,
    /// Its owner is invited to choose a first password.
    Invitation,
    /// A code is asked for at sign-in from now on.
    SecondFacteurActive,
    /// None is any more: its owner or an admin has removed the second factor.
    SecondFacteurRetire,
    /// An API key was made.
    CleApi,
    /// The file of its owner's data is ready.
    DonneesPretes,
}

/// A message to the owner of an account about it, sent at once, in a mail of its own, and whatever their preferences are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountNotice {
    pub quoi: AccountEvent,
    pub quand: DateTime<Utc>,
    /// The IP address that it was done from.
    pub adresse: Option<String>,
    /// The program that it was done with.
    pub appareil: Option<String>,
    /// The name of who did it, if somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auteur: Option<String>,
    /// The link in the mail ([`crate::accounts::links`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lien: Option<Uuid>,
}

impl AccountNotice {
    /// What happened at `quand`, and nothing of who did it from where.
    #[must_use]
    pub fn new(quoi: AccountEvent, quand: DateTime<Utc>) -> Self {
        Self { quoi, quand, adresse: None, appareil: None, auteur: None, lien: None }
    }
}

/// A mail, as the job that sends it reads it.
#[derive(Debug, Clone)]
pub struct Envoi {
    pub id: i64,
    pub user_id: i64,
    pub statut: StatutEnvoi,
    /// Of a digest: the local day that it is about.
    pub jour: Option<NaiveDate>,
    /// The message about the account of its reader; `None` for a digest, or a mail of notifications.
    pub avis: Option<Json<AccountNotice>>,
    /// Whether its bytes are frozen.
    pub is_frozen: bool,
    /// Transmissions that were begun.
    pub transmissions: i32,
    /// Whether the attempt that claimed it last still holds its job: it is being sent at this moment.
    pub is_under_way: bool,
    /// Whether it has any content, as far as is known before it is frozen.
    pub has_contents: bool,
    /// The address that it was frozen with; else that of its reader today.
    pub email: String,
}

/// How a transmission ended, or why a mail will not be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The mail server has accepted it.
    Envoyee,
    /// It waits for another attempt, for this reason: the server has not accepted it.
    EnFile(String),
    /// The server may have accepted it; it is to be sent again.
    EnDoute(String),
    /// It is given up, for this reason.
    Echouee(String),
    /// The server may have accepted it; an admin decides.
    Incertaine(String),
    /// It has no content any more.
    Annulee,
}

impl Ending {
    /// `envoyee`, `en_file`…
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        self.statut().as_str()
    }

    pub(super) fn statut(&self) -> StatutEnvoi {
        match self {
            Self::Envoyee => StatutEnvoi::Envoyee,
            Self::EnFile(_) => StatutEnvoi::EnFile,
            Self::EnDoute(_) => StatutEnvoi::EnTransmission,
            Self::Echouee(_) => StatutEnvoi::Echouee,
            Self::Incertaine(_) => StatutEnvoi::Incertaine,
            Self::Annulee => StatutEnvoi::Annulee,
        }
    }

    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::EnFile(reason)
            | Self::EnDoute(reason)
            | Self::Echouee(reason)
            | Self::Incertaine(reason) => Some(reason),
            Self::Envoyee | Self::Annulee => None,
        }
    }
}

/// A mail, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct EnvoiOut {
    pub id: i64,
    pub user_id: i64,
    /// `en_transmission`: a worker has begun to send it, and its end is not recorded yet. `incertaine`: the mail server may
    /// have accepted it; it can be sent again. `annulee`: there was nothing to say any more.
    pub statut: StatutEnvoi,
    /// Of a digest: the local day that it is about. Null: a mail of notifications, or about the account of its reader.
    pub jour: Option<NaiveDate>,
    /// Frozen when its transmission began, like all that follows.
    pub destinataire: Option<String>,
    pub message_id: Option<String>,
    /// Transmissions that were begun: more than one is the same mail sent again.
    pub transmissions: i32,
    /// When the last transmission began.
    pub transmis_le: Option<DateTime<Utc>>,
    /// It does not leave before.
    pub part_le: DateTime<Utc>,
    /// When the mail server accepted it.
    pub parti_le: Option<DateTime<Utc>>,
    pub derniere_erreur: Option<String>,
}

/// The fields that a list of mails can be sorted by.
pub const SORTABLE: &[&str] = &["id"];

/// A list of mails.
#[derive(Debug, Clone, Input)]
pub struct EnvoiFilter {
    pub statut: Option<StatutEnvoi>,
    #[input(as = Id)]
    pub user_id: Option<i64>,
    #[input(page = SORTABLE)]
    pub page: Page,
}
