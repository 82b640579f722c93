//! What there is about a person, table by table, as JSON: every row that is theirs, without secrets and their hashes.
use serde_json::Value;
use sqlx::PgPool;

use super::rows;
use crate::Result;

/// A file of the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Compte,
    Preferences,
    Technicien,
    Sessions,
    Appareils,
    AppareilsSurs,
    ClesApi,
    Identites,
    Liens,
    Invitations,
    Lots,
    Rapports,
    Notifications,
    Emails,
    Audit,
    InterventionsConfiees,
    InterventionsCreees,
    Historique,
    Documents,
}

/// Some rows of a source.
#[derive(Debug, Default)]
pub struct Batch {
    pub rows: Vec<Value>,
    /// After which id the next ones are; `None` after the last.
    pub next: Option<i64>,
}

impl Source {
    pub const ALL: [Self; 19] = [
        Self::Compte,
        Self::Preferences,
        Self::Technicien,
        Self::Sessions,
        Self::Appareils,
        Self::AppareilsSurs,
        Self::ClesApi,
        Self::Identites,
        Self::Liens,
        Self::Invitations,
        Self::Lots,
        Self::Rapports,
        Self::Notifications,
        Self::Emails,
        Self::Audit,
        Self::InterventionsConfiees,
        Self::InterventionsCreees,
        Self::Historique,
        Self::Documents,
    ];

    /// The name of its file, and what is in it, in French and in English.
    #[must_use]
    pub fn about(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Compte => ("compte", "votre compte", "your account"),
            Self::Preferences => {
                ("preferences", "les e-mails que vous voulez", "the mails you want")
            }
            Self::Technicien => {
                ("technicien", "votre fiche de technicien", "your technician record")
            }
            Self::Sessions => ("sessions", "vos connexions", "your sign-ins"),
            Self::Appareils => ("appareils", "les appareils déjà vus", "the devices seen before"),
            Self::AppareilsSurs => {
                ("appareils_surs", "les appareils sans second facteur", "the trusted devices")
            }
            Self::ClesApi => ("cles_api", "vos clés d’API", "your API keys"),
            Self::Identites => (
                "identites",
                "qui vous êtes chez le fournisseur de connexion de l’entreprise",
                "who you are at the sign-in provider of the company",
            ),
            Self::Liens => (
                "liens",
                "les liens de compte qui vous ont été envoyés",
                "the account links sent to you",
            ),
            Self::Invitations => (
                "invitations",
                "les invitations que vous avez envoyées",
                "the invitations you sent",
            ),
            Self::Lots => {
                ("lots", "les envois de fichiers que vous avez ouverts", "the uploads you began")
            }
            Self::Rapports => {
                ("rapports", "les rapports que vous avez demandés", "the reports you asked for")
            }
            Self::Notifications => ("notifications", "vos notifications", "your notifications"),
            Self::Emails => {
                ("emails", "les e-mails qui vous ont été envoyés", "the mails sent to you")
            }
            Self::Audit => (
                "audit",
                "ce que le journal d’audit retient de vous",
                "what the audit keeps of you",
            ),
            Self::InterventionsConfiees => (
                "interventions_confiees",
                "les interventions qui vous sont confiées",
                "the interventions assigned to you",
            ),
            Self::InterventionsCreees => (
                "interventions_creees",
                "les interventions que vous avez ouvertes",
                "the interventions you opened",
            ),
            Self::Historique => {
                ("historique", "les étapes que vous avez écrites", "the steps you wrote")
            }
            Self::Documents => {
                ("documents", "les fichiers que vous avez déposés", "the files you uploaded")
            }
        }
    }
}

/// The rows of `source` about user `user_id` that are after id `after` (0: the first).
pub async fn batch(pool: &PgPool, source: Source, user_id: i64, after: i64) -> Result<Batch> {
    match rows::of_account(pool, source, user_id).await? {
        Some(rows) => Ok(Batch { rows, next: None }),
        None => rows::of_work(pool, source, user_id, after).await,
    }
}
