//! What a user is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::{GivenPassword, Password, PasswordHash};
use crate::{
    Lang, enumeration, enumeration_field,
    input::{Email, Field, Fields, Id, Input, Trimmed, Wrong, text_of},
    page::Columns,
    scope::Scope,
    versioned,
};

enumeration! {
    /// What someone may do. An admin may do all that a responsable may.
    UserRole {
        Admin = "admin",
        Responsable = "responsable",
        Technicien = "technicien",
        Client = "client",
    }
}
enumeration_field!(UserRole);

impl UserRole {
    /// Whose rows somebody with this role sees, who belongs to client `client_id`.
    #[must_use]
    pub fn scope(self, client_id: Option<i64>) -> Scope {
        match (self, client_id) {
            (Self::Client, Some(id)) => Scope::Client(id),
            (Self::Client, None) => Scope::Nothing,
            _ => Scope::All,
        }
    }
}

/// A user as everyone sees one: never with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, Columns, utoipa::ToSchema)]
pub struct UserOut {
    pub id: i64,
    pub username: String,
    pub full_name: String,
    pub email: String,
    pub role: UserRole,
    pub is_active: bool,
    /// The language of mails and notifications.
    pub langue: Lang,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// The last sign-in, by a password or the link of an invitation; null before the first.
    pub last_login: Option<DateTime<Utc>>,
    /// What an edit names in `If-Match`: raised whenever an edit changes something.
    pub version: i64,
}

versioned!(UserOut);

/// A user as a responsable sees one in the list. Who belongs to a client has neither `username` nor `email` here: a username
/// may be an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct UserApercu {
    pub id: i64,
    pub full_name: String,
    pub role: UserRole,
    pub is_active: bool,
    pub username: Option<String>,
    pub email: Option<String>,
}

/// A row of the list of users: the whole account for an admin, what choosing somebody takes for a responsable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum UserListe {
    Compte(UserOut),
    Apercu(UserApercu),
}

impl From<UserOut> for UserApercu {
    fn from(user: UserOut) -> Self {
        let known = user.role != UserRole::Client;
        Self {
            id: user.id,
            full_name: user.full_name,
            role: user.role,
            is_active: user.is_active,
            username: known.then_some(user.username),
            email: known.then_some(user.email),
        }
    }
}

enumeration! {
    /// What somebody does, for people outside. That a responsable is an admin is nobody's business there.
    Fonction {
        Responsable = "responsable",
        Technicien = "technicien",
        Client = "client",
    }
}

impl From<UserRole> for Fonction {
    fn from(role: UserRole) -> Self {
        match role {
            UserRole::Admin | UserRole::Responsable => Self::Responsable,
            UserRole::Technicien => Self::Technicien,
            UserRole::Client => Self::Client,
        }
    }
}

/// All that users of a client see of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct NomEtFonction {
    pub full_name: String,
    pub fonction: Fonction,
}

/// A person: the account for staff, the name and the function for users of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Personne {
    Compte(UserOut),
    Nom(NomEtFonction),
}

impl Personne {
    /// The same person as users of a client see them.
    #[must_use]
    pub fn from_outside(self) -> Self {
        match self {
            Self::Compte(user) => {
                Self::Nom(NomEtFonction { full_name: user.full_name, fonction: user.role.into() })
            }
            nom @ Self::Nom(_) => nom,
        }
    }
}

/// The fields that a list of users can be sorted by.
pub const SORTABLE: &[&str] = &[
    "id",
    "username",
    "full_name",
    "email",
    "role",
    "is_active",
    "created_at",
    "updated_at",
    "last_login",
];

/// What authentication needs to know of a user.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: i64,
    pub email: String,
    pub role: UserRole,
    pub client_id: Option<i64>,
    pub is_active: bool,
    /// Whether the client that it belongs to is active; true if it belongs to none.
    pub client_actif: bool,
    /// Raised by whatever ends all its sessions at once: a new password, disabling.
    pub token_version: i32,
    pub password_hash: PasswordHash,
    /// Since when a code is asked for beside the password; `None` if none is.
    pub second_facteur: Option<DateTime<Utc>>,
}

/// 3 to 64 characters without white space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(pub String);

impl Field for Username {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let name = text_of(String::read(value)?.trim(), 3, 64)?;
        if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Wrong::new(
                "value_error",
                "Le nom d'utilisateur ne peut pas contenir d'espace.",
                "The username must not contain white space",
            ));
        }
        Ok(Self(name))
    }

    fn schema() -> Value {
        let pattern = r"^[^\s\u0000-\u001f\u007f-\u009f]+$";
        json!({ "type": "string", "minLength": 3, "maxLength": 64, "pattern": pattern })
    }
}

#[derive(Debug, Clone, Input)]
#[input(heavy, check = not_guessable(password, username, full_name, email), check = client_role(client_id, role))]
pub struct UserCreate {
    pub username: Username,
    pub full_name: Trimmed<200>,
    pub email: Email,
    pub role: UserRole,
    pub password: Password,
    pub client_id: Option<Id>,
    #[input(or = Lang::default())]
    pub langue: Lang,
}

/// Who an account is made for.
#[derive(Debug, Clone, Copy)]
pub struct NewUser<'a> {
    pub username: &'a str,
    pub full_name: &'a str,
    pub email: &'a str,
    pub role: UserRole,
    pub client_id: Option<i64>,
    pub langue: Lang,
}

impl<'a> From<&'a UserCreate> for NewUser<'a> {
    fn from(new: &'a UserCreate) -> Self {
        Self {
            username: &new.username.0,
            full_name: &new.full_name.0,
            email: &new.email.0,
            role: new.role,
            client_id: new.client_id.map(|id| id.0),
            langue: new.langue,
        }
    }
}

/// What someone changes of their own account.
#[derive(Debug, Clone, Input)]
#[input(check = proven(password, current_password))]
pub struct UserUpdate {
    pub full_name: Option<Trimmed<200>>,
    /// A new password; `current_password` must prove whose account it is.
    pub password: Option<Password>,
    #[input(as = GivenPassword)]
    pub current_password: Option<Password>,
    pub langue: Option<Lang>,
}

/// Refuses a password that can be guessed, for instance from the other fields of the account.
fn not_guessable(
    fields: &mut Fields,
    password: Option<&Password>,
    username: Option<&Username>,
    full_name: Option<&Trimmed<200>>,
    email: Option<&Email>,
) {
    let known =
        [username.map_or("", |u| &u.0), full_name.map_or("", |n| &n.0), email.map_or("", |e| &e.0)];
    if let Some(Err(wrong)) = password.map(|password| password.check_guessable(&known)) {
        fields.fault("password", wrong);
    }
}

pub(crate) fn client_role(
    fields: &mut Fields,
    client_id: Option<&Option<Id>>,
    role: Option<&UserRole>,
) {
    if matches!(client_id, Some(Some(_))) && role.is_some_and(|role| *role != UserRole::Client) {
        fields.fault("client_id", not_of_a_client());
    }
}

/// What is wrong with the client of a user who has another role.
pub(super) fn not_of_a_client() -> Wrong {
    Wrong::new(
        "value_error",
        "Seul un utilisateur de rôle client appartient à un client.",
        "Only a user with the role client belongs to a client",
    )
}

fn proven(
    fields: &mut Fields,
    password: Option<&Option<Password>>,
    current: Option<&Option<Password>>,
) {
    if matches!((password, current), (Some(Some(_)), Some(None))) {
        let wrong = Wrong::new(
            "missing",
            "Pour changer de mot de passe, donnez aussi l'actuel.",
            "Give the current password too, to change it",
        );
        fields.fault("current_password", wrong);
    }
}

#[cfg(test)]
mod tests {
    use super::UserRole;

    #[test]
    fn the_configuration_knows_the_roles() {
        assert_eq!(UserRole::TEXTS, crate::config::ROLES);
    }
}
