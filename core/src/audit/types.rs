//! The types of the audit: its entries, and the filters of its lists.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    enumeration, enumeration_field,
    input::{Id, Input, Trimmed},
    page::{Columns, Page},
};

enumeration! {
    /// What was done.
    Acte {
        Connexion = "connexion",
        ConnexionRefusee = "connexion_refusee",
        /// The provider of the company has vouched for the owner of the account; a `connexion` follows.
        ConnexionEntreprise = "connexion_entreprise",
        /// The account was linked to somebody at that provider; an admin ended that.
        IdentiteRattachee = "identite_rattachee",
        IdentiteOubliee = "identite_oubliee",
        /// The fifth failure: the account is locked for that address.
        Verrouillage = "verrouillage",
        MotDePasseRefuse = "mot_de_passe_refuse",
        Deconnexion = "deconnexion",
        SessionsTerminees = "sessions_terminees",
        /// A refresh token that had been exchanged came again.
        JetonReutilise = "jeton_reutilise",
        MotDePasseChange = "mot_de_passe_change",
        /// A link for a new password was mailed.
        MotDePasseOublie = "mot_de_passe_oublie",
        CompteCree = "compte_cree",
        CompteModifie = "compte_modifie",
        /// Somebody was invited; sent again; the invitation was revoked; they have chosen a password.
        Invitation = "invitation",
        InvitationRenvoyee = "invitation_renvoyee",
        InvitationRevoquee = "invitation_revoquee",
        InvitationAcceptee = "invitation_acceptee",
        /// A second factor was confirmed; removed by its owner; reset by an admin.
        SecondFacteurActive = "second_facteur_active",
        SecondFacteurRetire = "second_facteur_retire",
        SecondFacteurReinitialise = "second_facteur_reinitialise",
        /// A code was wrong, used before, or not looked at.
        SecondFacteurRefuse = "second_facteur_refuse",
        /// A recovery code was used; all were replaced.
        CodeSecoursUtilise = "code_secours_utilise",
        CodesSecoursRenouveles = "codes_secours_renouveles",
        /// A device was trusted; all were forgotten.
        AppareilSur = "appareil_sur",
        AppareilsOublies = "appareils_oublies",
        /// An API key was made; revoked.
        CleApiCreee = "cle_api_creee",
        CleApiRevoquee = "cle_api_revoquee",
        CompteDesactive = "compte_desactive",
        CompteReactive = "compte_reactive",
        /// A person was taken out of the system: a number stands for the name.
        ComptePseudonymise = "compte_pseudonymise",
        /// The file of somebody's data was asked for; fetched.
        DonneesDemandees = "donnees_demandees",
        DonneesTelechargees = "donnees_telechargees",
        /// A report was asked for; made again; fetched; given away by an address; stopped or removed.
        RapportDemande = "rapport_demande",
        RapportRelance = "rapport_relance",
        RapportTelecharge = "rapport_telecharge",
        RapportPartage = "rapport_partage",
        RapportSupprime = "rapport_supprime",
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
        CleApi = "cle_api",
        Tache = "tache",
        File = "file",
        Planification = "planification",
        Document = "document",
        Email = "email",
        Rapport = "rapport",
    }
}
enumeration_field!(Cible);

/// Who performs an action, in which session (or by which API key), from which address.
#[derive(Debug, Clone, Default)]
pub struct Auteur {
    pub user_id: Option<i64>,
    pub session: Option<Uuid>,
    pub adresse: Option<String>,
}

/// A line of the audit.
#[derive(Debug, Clone, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct AuditOut {
    pub id: i64,
    pub horodatage: DateTime<Utc>,
    pub action: String,
    /// Who did it.
    pub user_id: Option<i64>,
    /// The session, or the API key, that it was done with.
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

/// Which lines a list shows.
#[derive(Debug, Clone, Default, Serialize, Input)]
pub struct AuditFilter {
    #[input(as = Id)]
    pub user_id: Option<i64>,
    pub action: Option<Acte>,
    pub cible: Option<Cible>,
    #[input(as = Trimmed<100>)]
    pub cible_id: Option<String>,
    pub date_from: Option<DateTime<Utc>>,
    pub date_to: Option<DateTime<Utc>>,
}

/// A page of the audit, the newest first.
#[derive(Debug, Clone, Input)]
pub struct AuditList {
    #[input(flatten)]
    pub filter: AuditFilter,
    #[input(page = SORTABLE)]
    pub page: Page,
}
