//! What a notification is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::{
    enumeration, enumeration_field,
    input::{Field, Id, Input, Wrong},
    page::{Columns, Page},
};

enumeration! {
    TypeNotification {
        Affectation = "affectation",
        Cloture = "cloture",
        Rappel = "rappel",
        Retard = "retard",
        Alerte = "alerte",
        Information = "information",
    }
}

impl Field for TypeNotification {
    /// An unknown type is read as `information`: the frontend sends types of its own.
    fn read(value: &Value) -> Result<Self, Wrong> {
        Ok(Self::from_text(&String::read(value)?.to_lowercase()).unwrap_or(Self::Information))
    }

    fn schema() -> Value {
        String::schema()
    }
}

enumeration! {
    CanalNotification {
        Email = "email",
        Log = "log",
    }
}
enumeration_field!(CanalNotification);

enumeration! {
    StatutNotification {
        EnFile = "en_file",
        Envoyee = "envoyee",
        Echouee = "echouee",
        Incertaine = "incertaine",
    }
}
enumeration_field!(StatutNotification);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct NotificationOut {
    pub id: i64,
    #[serde(rename = "type")]
    #[sqlx(rename = "type")]
    pub type_: TypeNotification,
    pub canal: CanalNotification,
    pub contenu: Option<String>,
    /// When the mail was accepted by the mail server, or the line written; null while it waits.
    pub date_envoi: Option<DateTime<Utc>>,
    pub intervention_id: Option<i64>,
    /// What it is about when that is no intervention: a visit to come.
    pub planning_id: Option<i64>,
    pub user_id: i64,
    pub read: bool,
    pub statut: StatutNotification,
    /// Attempts to send the mail so far.
    pub tentatives: i32,
    pub derniere_erreur: Option<String>,
}

/// How many notifications someone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct CountsOut {
    pub unread: i64,
    /// Up to 10 000.
    pub total: i64,
}

/// The fields that a list of notifications can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "type",
    "canal",
    "date_envoi",
    "intervention_id",
    "user_id",
    "read",
    "statut",
    "tentatives",
];

/// A notification to be created. `intervention_id` is `None` if it concerns no single intervention.
#[derive(Debug, Clone)]
pub struct NotificationFields {
    pub type_: TypeNotification,
    pub canal: CanalNotification,
    pub contenu: Option<String>,
    pub intervention_id: Option<i64>,
    pub planning_id: Option<i64>,
    pub user_id: i64,
}

/// A request to create a notification about an intervention.
#[derive(Debug, Clone, Input)]
pub struct NewNotification {
    pub type_: TypeNotification,
    pub canal: CanalNotification,
    pub contenu: Option<String>,
    #[input(as = Id)]
    pub intervention_id: i64,
    #[input(as = Id)]
    pub user_id: i64,
}

impl From<NewNotification> for NotificationFields {
    fn from(asked: NewNotification) -> Self {
        Self {
            type_: asked.type_,
            canal: asked.canal,
            contenu: asked.contenu,
            intervention_id: Some(asked.intervention_id),
            planning_id: None,
            user_id: asked.user_id,
        }
    }
}

/// Which notifications a list shows.
#[derive(Debug, Clone, Input)]
pub struct NotificationFilter {
    #[input(as = Id)]
    pub user_id: Option<i64>,
    #[input(as = Id)]
    pub intervention_id: Option<i64>,
    pub statut: Option<StatutNotification>,
    #[input(skip)]
    pub unread: Option<bool>,
    #[input(page = SORTABLE)]
    pub page: Page,
}

/// The list of one user.
#[derive(Debug, Clone, Input)]
pub struct OwnFilter {
    pub unread: Option<bool>,
    #[input(page = SORTABLE)]
    pub page: Page,
}

impl OwnFilter {
    /// The filter for the list of user `user_id`.
    #[must_use]
    pub fn of(self, user_id: i64) -> NotificationFilter {
        NotificationFilter {
            user_id: Some(user_id),
            intervention_id: None,
            statut: None,
            unread: self.unread,
            page: self.page,
        }
    }
}
