//! The caller of a request: who it is, by what that is known, and what follows for what they see and change.
use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, header, request::Parts},
};
use erp_core::{
    Ctx, Error, Result, audit,
    auth::{self, api_keys::KeyHolder},
    interventions::Actor,
    rapports::listes::Reader,
    scope::{Reach, Scope},
    techniciens,
    users::{Account, UserRole},
};
use uuid::Uuid;

use crate::{ApiError, layers::ClientAddress};

/// The authenticated caller. Only routes that [`crate::rbac`] protects can take one; on any other it is a 403.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    pub id: i64,
    pub role: UserRole,
    client_id: Option<i64>,
    proof: Proof,
}

/// What identifies a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// An access token, of this session.
    Session(Uuid),
    /// This API key.
    ApiKey(Uuid),
    /// The secret in an address.
    Address,
}

/// The caller that the secret in an address identifies.
impl From<Account> for CurrentUser {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            role: account.role,
            client_id: account.client_id,
            proof: Proof::Address,
        }
    }
}

/// The caller that an access token identifies.
impl From<auth::Caller> for CurrentUser {
    fn from(caller: auth::Caller) -> Self {
        let auth::Caller { id, role, client_id, session, must_enrol: _ } = caller;
        Self { id, role, client_id, proof: Proof::Session(session) }
    }
}

/// The caller that an API key identifies.
impl From<KeyHolder> for CurrentUser {
    fn from(holder: KeyHolder) -> Self {
        let auth::Caller { id, role, client_id, session: key, must_enrol: _ } = holder.caller;
        Self { id, role, client_id, proof: Proof::ApiKey(key) }
    }
}

impl CurrentUser {
    /// The session of the caller's access token. A 401 for a caller without one.
    pub fn session(&self) -> Result<Uuid> {
        match self.proof {
            Proof::Session(session) => Ok(session),
            Proof::ApiKey(_) | Proof::Address => Err(auth::session_ended()),
        }
    }

    /// The session or the API key of the request, as the audit records it.
    fn audited(&self) -> Option<Uuid> {
        match self.proof {
            Proof::Session(id) | Proof::ApiKey(id) => Some(id),
            Proof::Address => None,
        }
    }

    /// Whose rows the caller sees.
    pub fn scope(&self) -> Scope {
        self.role.scope(self.client_id)
    }

    /// The caller as the reader of a report's list.
    pub fn reader(&self) -> Reader {
        Reader { user_id: self.id, role: self.role, client_id: self.client_id }
    }

    /// Whose documents and lots the caller may change.
    pub fn reach(&self) -> Reach {
        if self.role == UserRole::Technicien { Reach::Own(self.id) } else { Reach::All }
    }

    /// Whether the caller is a client, not staff: then of staff only the name and the function are shown.
    pub fn is_outside(&self) -> bool {
        self.role == UserRole::Client
    }

    /// The caller as the author of changes to interventions. A 403 for a user with the role technicien who has no technicien
    /// record yet.
    pub async fn actor(&self, ctx: &Ctx) -> Result<Actor> {
        let technicien_id = match self.role {
            UserRole::Technicien => {
                let own = techniciens::find_by_user(&ctx.pool, self.id).await?;
                Some(own.ok_or_else(techniciens::without_record)?)
            }
            _ => None,
        };
        Ok(Actor { user_id: self.id, technicien_id })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Absent only if the table of roles lacks the route or leaves it open: then the request is refused.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::forbidden().into())
    }
}

/// The author of what a request does, as the audit records it.
#[derive(Debug, Clone)]
pub struct Auteur(pub audit::Auteur);

impl FromRequestParts<Ctx> for Auteur {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, ctx).await?;
        let user = parts.extensions.get::<CurrentUser>();
        Ok(Self(audit::Auteur {
            user_id: user.map(|user| user.id),
            session: user.and_then(CurrentUser::audited),
            adresse: Some(address.to_string()),
        }))
    }
}

/// The address and program that a session is opened from.
#[derive(Debug, Clone)]
pub struct Origin(pub auth::Origin);

impl FromRequestParts<Ctx> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, ctx).await?;
        let user_agent = parts.headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
        Ok(Self(auth::Origin::new(address, user_agent)))
    }
}

/// The caller, on a route that may also be called without signing in.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<CurrentUser>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}
