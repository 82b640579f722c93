//! What a user is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Password, PasswordHash};
use crate::{
    Lang, described, enumeration, enumeration_field,
    input::{Field, Fields, Id, Input, Line, Wrong, text_of},
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

/// A user as everyone sees one: never with a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, sqlx::FromRow, utoipa::ToSchema)]
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
    /// The last sign-in with a password; null before the first.
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
    /// Whether the client that it belongs to is; true where it belongs to none.
    pub client_actif: bool,
    /// Raised by whatever ends all its sessions at once: a new password, disabling.
    pub token_version: i32,
    pub password_hash: PasswordHash,
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

/// An address that mail can be sent to, at most 254 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(pub String);

impl Field for Email {
    fn read(value: &Value) -> Result<Self, Wrong> {
        let wrong = || {
            Wrong::new(
                "value_error",
                "Une adresse e-mail est attendue, par exemple nom@exemple.ma.",
                "value is not a valid email address",
            )
        };
        let text = text_of(String::read(value)?.trim(), 3, 254)?;
        let address: lettre::Address = text.parse().map_err(|_| wrong())?;
        // A domain without a dot is right for a mail server, and a slip of the keyboard for everyone else.
        if address.domain().contains('.') { Ok(Self(text)) } else { Err(wrong()) }
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "email", "minLength": 3, "maxLength": 254 })
    }
}

#[derive(Debug, Clone)]
pub struct UserCreate {
    pub username: Username,
    pub full_name: Line<200>,
    pub email: Email,
    pub role: UserRole,
    pub password: Password,
    pub client_id: Option<Id>,
    pub langue: Lang,
}

described!(UserCreate, UserUpdate);

impl Input for UserCreate {
    /// It scores a password.
    const HEAVY: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let username = fields.required::<Username>("username");
        let full_name = fields.required::<Line<200>>("full_name");
        let email = fields.required::<Email>("email");
        let role = fields.required("role");
        let password = fields.required::<Password>("password");
        let client_id = fields.optional("client_id");
        let langue = fields.or("langue", Lang::default());

        let known = [
            username.as_ref().map_or("", |u| &u.0),
            full_name.as_ref().map_or("", |n| &n.0),
            email.as_ref().map_or("", |e| &e.0),
        ];
        if let Some(Err(wrong)) = password.as_ref().map(|p| p.check_guessable(&known)) {
            fields.fault("password", wrong);
        }
        if matches!(client_id, Some(Some(_))) && role.is_some_and(|r| r != UserRole::Client) {
            let wrong = Wrong::new(
                "value_error",
                "Seul un utilisateur de rôle client appartient à un client.",
                "Only a user with the role client belongs to a client",
            );
            fields.fault("client_id", wrong);
        }
        Some(Self {
            username: username?,
            full_name: full_name?,
            email: email?,
            role: role?,
            password: password?,
            client_id: client_id?,
            langue: langue?,
        })
    }
}

/// What someone changes of their own account.
#[derive(Debug, Clone)]
pub struct UserUpdate {
    pub full_name: Option<Line<200>>,
    pub password: Option<NewPassword>,
    pub langue: Option<Lang>,
}

/// A new password, and the present one that proves whose it is.
#[derive(Debug, Clone)]
pub struct NewPassword {
    pub new: Password,
    pub current: Password,
}

impl Input for UserUpdate {
    fn read(fields: &mut Fields) -> Option<Self> {
        let full_name = fields.optional("full_name");
        let password = fields.optional::<Password>("password");
        let current = fields.optional::<String>("current_password");
        let langue = fields.optional("langue");
        let password = match (password?, current?) {
            (None, _) => None,
            (Some(new), Some(current)) => {
                Some(NewPassword { new, current: Password::given(current) })
            }
            (Some(_), None) => {
                fields.fault(
                    "current_password",
                    Wrong::new(
                        "missing",
                        "Pour changer de mot de passe, donnez aussi l'actuel.",
                        "Give the current password too, to change it",
                    ),
                );
                return None;
            }
        };
        Some(Self { full_name: full_name?, password, langue: langue? })
    }
}
