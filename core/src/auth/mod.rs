//! Authentication: signing in, by one factor or two, sessions and their tokens, API keys, and the limits on wrong passwords and codes.
pub mod api_keys;
mod attempts;
mod callers;
mod device;
mod forget_person;
mod refresh_token;
pub mod second_factor;
mod sessions;
mod sign_in;
mod store;
mod token;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

pub use attempts::forget_failures;
pub use callers::Callers;
pub(crate) use forget_person::forget_person;
pub use sessions::{
    Motif, Origin, PAGES_FOR, SessionOut, caller, end_session, end_sessions, hold_session,
    open_page_session, open_session, page_caller, refresh, session_ended, sessions,
};
pub(crate) use sign_in::refused;
pub use sign_in::{SignIn, confirm_password, sign_in, wrong_current_password};
pub use token::{Claims, unsubscribe_token, unsubscribed_user};

use sign_in::wrong_credentials;

use crate::{
    Code, Error, Noun, Result, Text, Tx,
    config::AuthConfig,
    users::{Account, UserRole},
};

impl Noun {
    pub const SESSION: Self = Self::new(
        Code::SessionIntrouvable,
        "Session introuvable, ou déjà terminée.",
        "Session not found, or over.",
    );
}

/// What signing in gives.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct TokenResponse {
    pub access_token: String,
    pub refresh_token: String,
    /// Always `bearer`.
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: i64,
}

/// Whose access token a request has: a user who may work, and the session of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub id: i64,
    pub role: UserRole,
    /// Of a user with the role client.
    pub client_id: Option<i64>,
    pub session: Uuid,
    /// Whether they must enrol a second factor before they may do anything else (`REQUIRE_2FA`): whoever lets a caller in looks at it
    /// ([`second_factor::must_enrol`]).
    pub must_enrol: bool,
}

/// Whether somebody of `role` must enrol a second factor before anything else; `has_one` says whether they have.
fn lacks_second_factor(config: &AuthConfig, role: UserRole, has_one: bool) -> bool {
    !has_one && config.requires_second_factor(role.as_str())
}

/// Refuses, with a 403, an account that is disabled, or whose client is.
pub fn ensure_may_work(account: &Account) -> Result<()> {
    may_work(account.is_active, account.client_actif)
}

fn may_work(is_active: bool, client_actif: bool) -> Result<()> {
    if !is_active {
        return Err(Error::Forbidden {
            code: Code::CompteDesactive,
            text: Text::new(
                "Ce compte est désactivé : adressez-vous à un administrateur.",
                "This account is disabled: contact an administrator.",
            ),
        });
    }
    if !client_actif {
        return Err(Error::Forbidden {
            code: Code::ClientInactif,
            text: Text::new(
                "L'accès de votre entreprise est suspendu : adressez-vous à votre interlocuteur habituel.",
                "The access of your company is suspended: ask your usual contact.",
            ),
        });
    }
    Ok(())
}

/// Removes old sessions, counts of attempts, devices (known and trusted) and API keys, at most `limit` of each. Returns the greatest of the counts: when it
/// is below `limit`, nothing is left to remove.
pub async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let sessions = sessions::purge(tx, now, limit).await?;
    let most = sessions.max(attempts::purge(&mut **tx, now, limit).await?);
    let most = most.max(device::purge(tx, now, limit).await?);
    let most = most.max(second_factor::devices::purge(tx, now, limit).await?);
    let most = most.max(api_keys::purge(tx, now, limit).await?);
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}
