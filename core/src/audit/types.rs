//! What is written down, and what is asked of it.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    enumeration, enumeration_field,
    input::{Fields, Id, Input, Line},
    page::Page,
};

enumeration! {
    /// What was done.
    Acte {
        Connexion = "connexion",
        ConnexionRefusee = "connexion_refusee",
        /// The fifth failure: the account is locked for that address.
        Verrouillage = "verrouillage",
        MotDePasseRefuse = "mot_de_passe_refuse",
        Deconnexion = "deconnexion",
        SessionsTerminees = "sessions_terminees",
        /// A refresh token that had been exchanged came again.
        JetonReutilise = "jeton_reutilise",
        MotDePasseChange = "mot_de_passe_change",
        CompteCree = "compte_cree",
        CompteDesactive = "compte_desactive",
        CompteReactive = "compte_reactive",
        TachesRelancees = "taches_relancees",
        TachesAnnulees = "taches_annulees",
        TachesSupprimees = "taches_supprimees",
        FileSuspendue = "file_suspendue",
        FileReprise = "file_reprise",
        FileReglee = "file_reglee",
        PlanificationModifiee = "planification_modifiee",
        PlanificationLancee = "planification_lancee",
        EmailRenvoye = "email_renvoye",
        DocumentSupprime = "document_supprime",
        AuditExporte = "audit_exporte",
    }
}
enumeration_field!(Acte);

enumeration! {
    /// What it was done to.
    Cible {
        Compte = "compte",
        Session = "session",
        Tache = "tache",
        File = "file",
        Planification = "planification",
        Document = "document",
        Email = "email",
    }
}
enumeration_field!(Cible);

/// Who does something, and by what.
#[derive(Debug, Clone, Default)]
pub struct Auteur {
    pub user_id: Option<i64>,
    pub session: Option<Uuid>,
    pub adresse: Option<String>,
}

/// A line of the audit.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, utoipa::ToSchema)]
pub struct AuditOut {
    pub id: i64,
    pub horodatage: DateTime<Utc>,
    pub action: String,
    /// Who did it.
    pub user_id: Option<i64>,
    pub session_id: Option<Uuid>,
    #[sqlx(rename = "adresse")]
    pub adresse_ip: Option<String>,
    pub request_id: Option<Uuid>,
    /// What it was done to: a noun, and its id.
    pub cible: Option<String>,
    pub cible_id: Option<String>,
    /// The fields that changed, as they were.
    #[schema(value_type = Option<Object>)]
    pub avant: Option<Value>,
    /// As they are since.
    #[schema(value_type = Option<Object>)]
    pub apres: Option<Value>,
}

/// The fields that the audit can be sorted by.
pub const SORTABLE: &[&str] = &["id"];

/// Which lines.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AuditFilter {
    pub user_id: Option<i64>,
    pub action: Option<Acte>,
    pub cible: Option<Cible>,
    pub cible_id: Option<String>,
    pub date_from: Option<DateTime<Utc>>,
    pub date_to: Option<DateTime<Utc>>,
}

impl Input for AuditFilter {
    fn read(fields: &mut Fields) -> Option<Self> {
        let user_id = fields.optional::<Id>("user_id");
        let action = fields.optional("action");
        let cible = fields.optional("cible");
        let cible_id = fields.optional::<Line<100>>("cible_id");
        let date_from = fields.optional("date_from");
        let date_to = fields.optional("date_to");
        Some(Self {
            user_id: user_id?.map(|id| id.0),
            action: action?,
            cible: cible?,
            cible_id: cible_id?.map(|line| line.0),
            date_from: date_from?,
            date_to: date_to?,
        })
    }
}

/// A page of the audit, the newest first.
#[derive(Debug, Clone)]
pub struct AuditList {
    pub filter: AuditFilter,
    pub page: Page,
}

impl Input for AuditList {
    fn read(fields: &mut Fields) -> Option<Self> {
        let filter = AuditFilter::read(fields);
        let mut page = Page::read(fields, SORTABLE)?;
        page.sort.get_or_insert_with(|| "-id".to_owned());
        Some(Self { filter: filter?, page })
    }
}
