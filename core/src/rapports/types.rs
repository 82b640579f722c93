//! The types of reports, on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Lang, enumeration, enumeration_field,
    input::{Field, Id, Input, Trimmed, Whole, Wrong},
    page::{Columns, Page},
};

enumeration! {
    /// What a report is about: each is a list, with the filters and rights of its route.
    TypeRapport {
        Interventions = "interventions",
        Equipements = "equipements",
        Techniciens = "techniciens",
        Clients = "clients",
        Plannings = "plannings",
        Documents = "documents",
        Notifications = "notifications",
        /// The journal of one intervention.
        Historique = "historique",
        Audit = "audit",
    }
}
enumeration_field!(TypeRapport);

enumeration! {
    FormatRapport {
        Csv = "csv",
        Xlsx = "xlsx",
    }
}
enumeration_field!(FormatRapport);

impl FormatRapport {
    /// The media type of the file.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }
}

enumeration! {
    StatutRapport {
        Pending = "pending",
        Generating = "generating",
        Ready = "ready",
        Failed = "failed",
        /// The file was removed, since its time was over; it can be made again.
        Expired = "expired",
        Cancelled = "cancelled",
    }
}
enumeration_field!(StatutRapport);

enumeration! {
    /// Why no file was made.
    Motif {
        /// Its owner may not read this any more.
        Droits = "droits",
        /// What it is about is gone, or a filter is not known any more.
        Filtres = "filtres",
        /// Its job was given up, or cancelled by an admin.
        Abandon = "abandon",
    }
}

/// The filters of a list, by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filtres(pub Map<String, Value>);

impl Field for Filtres {
    fn read(value: &Value) -> Result<Self, Wrong> {
        match value {
            Value::Object(filtres) => Ok(Self(filtres.clone())),
            _ => Err(Wrong::new(
                "dict_type",
                "Un objet de filtres est attendu, par exemple {\"statut\": \"ouverte\"}.",
                "An object of filters is expected, for instance {\"statut\": \"ouverte\"}",
            )),
        }
    }

    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": true })
    }
}

/// A report to be made. The filters are those of the list's route, but for its page and its order.
#[derive(Debug, Clone, Input)]
pub struct RapportCreate {
    pub type_: TypeRapport,
    pub format: FormatRapport,
    #[input(or = Filtres::default())]
    pub filtres: Filtres,
    /// That of the caller's account, if none is given.
    pub langue: Option<Lang>,
    #[input(as = Trimmed<200>)]
    pub titre: Option<String>,
}

/// An address of a report's file, to be given away.
#[derive(Debug, Clone, Input)]
pub struct LienCreate {
    /// How long it is good; not longer than the file is kept.
    #[input(as = Whole<1, 7>, or = Whole(7))]
    pub jours: i64,
    #[input(as = Whole<1, 1000>)]
    pub telechargements_max: Option<i64>,
}

/// Which reports a list shows.
#[derive(Debug, Clone, Input)]
pub struct RapportFilter {
    pub type_: Option<TypeRapport>,
    pub statut: Option<StatutRapport>,
    /// Of this user: for responsables, who see those of all.
    #[input(as = Id)]
    pub user_id: Option<i64>,
    #[input(page = SORTABLE)]
    pub page: Page,
}

/// The fields that a list of reports can be sorted by: `id` is the order of the requests.
pub const SORTABLE: &[&str] = &["id"];

/// One row of `rapports`.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
pub struct Rapport {
    pub id: Uuid,
    pub user_id: i64,
    #[sqlx(rename = "type")]
    pub type_: TypeRapport,
    pub format: FormatRapport,
    pub filtres: Value,
    pub langue: Lang,
    pub titre: String,
    pub statut: StatutRapport,
    pub tour: i32,
    pub cree_le: DateTime<Utc>,
    pub debut_le: Option<DateTime<Utc>>,
    pub fini_le: Option<DateTime<Utc>>,
    pub expire_le: Option<DateTime<Utc>>,
    pub lignes: i64,
    pub lignes_prevues: Option<i64>,
    pub fichier: Option<Uuid>,
    pub taille: Option<i64>,
    pub motif: Option<Motif>,
}

/// A report, as its owner sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct RapportOut {
    pub id: Uuid,
    pub user_id: i64,
    #[serde(rename = "type")]
    pub type_: TypeRapport,
    pub format: FormatRapport,
    #[schema(value_type = Object)]
    pub filtres: Value,
    pub langue: Lang,
    pub titre: String,
    pub statut: StatutRapport,
    /// Percent: 100 when it is ready, and not before.
    pub progression: i64,
    /// The same in words, in the language of the report; if it failed, why, and what to do.
    pub etape: String,
    /// Rows in the file, or written so far.
    pub lignes: i64,
    /// Bytes.
    pub size: Option<i64>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    /// When it was ready, failed or cancelled.
    pub ended_at: Option<DateTime<Utc>>,
    /// When the file is removed.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An address that opens the file of a report without a session.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LienOut {
    /// Whoever has it reads the file: it is shown once.
    pub url: String,
    pub expires_at: DateTime<Utc>,
    pub telechargements_max: Option<i64>,
}

/// Where the next attempt goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reprise {
    /// The reader and the columns that it is for ([`super::listes::Liste::pour`]): for others an attempt begins again.
    pub pour: String,
    /// The stored parts of the file so far, in their order.
    pub parts: Vec<Uuid>,
    /// The rows in them.
    pub lignes: i64,
    /// The place of the last of those rows ([`crate::page::Cursor::text`]).
    pub apres: String,
}

impl TypeRapport {
    /// What a report is called that was given no title.
    #[must_use]
    pub fn titre(self, langue: Lang) -> &'static str {
        let (fr, en) = match self {
            Self::Interventions => ("Interventions", "Interventions"),
            Self::Equipements => ("Équipements", "Equipment"),
            Self::Techniciens => ("Techniciens", "Technicians"),
            Self::Clients => ("Clients", "Clients"),
            Self::Plannings => ("Plannings", "Schedules"),
            Self::Documents => ("Documents", "Documents"),
            Self::Notifications => ("Notifications", "Notifications"),
            Self::Historique => ("Historique d'une intervention", "Journal of an intervention"),
            Self::Audit => ("Audit", "Audit"),
        };
        langue.choose(fr, en)
    }
}

impl Rapport {
    /// Whether it waits, or is being made.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.statut, StatutRapport::Pending | StatutRapport::Generating)
    }

    /// Percent. What is counted are rows: the last steps of a file count none, and 100 is said when it is ready.
    fn progression(&self) -> i64 {
        match (self.statut, self.lignes_prevues) {
            (StatutRapport::Ready | StatutRapport::Expired, _) => 100,
            (_, Some(prevues)) if prevues > 0 => (self.lignes * 100 / prevues).clamp(0, 99),
            _ => 0,
        }
    }

    fn etape(&self) -> String {
        let (fr, en): (String, String) = match (self.statut, self.motif) {
            (StatutRapport::Pending, _) => {
                ("En attente de son tour".into(), "Waiting for its turn".into())
            }
            (StatutRapport::Generating, _) => match self.lignes_prevues {
                Some(prevues) if self.lignes < prevues => (
                    format!("Lignes écrites\u{a0}: {} sur {prevues}", self.lignes),
                    format!("Rows written: {} of {prevues}", self.lignes),
                ),
                Some(_) => ("Le fichier se termine".into(), "The file is being finished".into()),
                None => ("Lecture des données".into(), "Reading the data".into()),
            },
            (StatutRapport::Ready, _) => ("Prêt à télécharger".into(), "Ready to be downloaded".into()),
            (StatutRapport::Expired, _) => (
                "Le fichier a été effacé après sept jours\u{a0}: relancez le rapport.".into(),
                "The file was removed after seven days: make the report again.".into(),
            ),
            (StatutRapport::Cancelled, _) => ("Annulé".into(), "Cancelled".into()),
            (StatutRapport::Failed, Some(Motif::Droits)) => (
                "Vous n'avez plus accès à ces données\u{a0}: demandez à un administrateur.".into(),
                "You may not read this any more: ask an administrator.".into(),
            ),
            (StatutRapport::Failed, Some(Motif::Filtres)) => (
                "Ce sur quoi porte ce rapport n'existe plus\u{a0}: demandez-en un autre.".into(),
                "What this report is about is gone: ask for another one.".into(),
            ),
            (StatutRapport::Failed, Some(Motif::Abandon) | None) => (
                "Le rapport n'a pas pu être fait\u{a0}: relancez-le\u{a0}; si cela se répète, prévenez un administrateur.".into(),
                "The report could not be made: try again; if it happens again, tell an administrator.".into(),
            ),
        };
        self.langue.choose(fr, en)
    }

    /// The report as its owner sees it.
    #[must_use]
    pub fn shown(self) -> RapportOut {
        RapportOut {
            progression: self.progression(),
            etape: self.etape(),
            id: self.id,
            user_id: self.user_id,
            type_: self.type_,
            format: self.format,
            filtres: self.filtres,
            langue: self.langue,
            titre: self.titre,
            statut: self.statut,
            lignes: self.lignes,
            size: self.taille,
            created_at: self.cree_le,
            started_at: self.debut_le,
            ended_at: self.fini_le,
            expires_at: self.expire_le,
        }
    }
}
