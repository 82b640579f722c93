//! Who is calling: signing in, access tokens, refresh tokens, and the lock after failed logins.
mod keys;
pub mod rotate;
mod store;
mod token;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub use keys::Keys;
pub use token::{Claims, unsubscribe_token, unsubscribed_user};

use crate::{
    Ctx, Error, Result, Text, Tx,
    users::{self, Account, Password},
};

/// Failures of one account from one address within [`FAILURE_WINDOW`] that lock the pair for [`LOCK`].
const MAX_FAILURES: i32 = 5;
const FAILURE_WINDOW: TimeDelta = TimeDelta::minutes(15);
const LOCK: TimeDelta = TimeDelta::minutes(5);

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

/// Checks a name (or e-mail address) and password coming from `address`. The answer, its text and its time are the
/// same whether the account exists or not. A failure is recorded at once, outside any transaction: it is true
/// whatever becomes of the request.
pub async fn authenticate(
    ctx: &Ctx,
    login: &str,
    password: Password,
    address: &str,
) -> Result<Account> {
    let account = users::find_by_login(&ctx.pool, login).await?;
    let compte = lock_name(account.as_ref(), login);
    ensure_unlocked(ctx, &compte, address).await?;

    let stored = account.as_ref().map(|a| a.password_hash.clone());
    let verified = users::verify_password(password, stored).await?;
    let now = ctx.clock.now();
    match account {
        Some(account) if verified => {
            // Guesses that were already under way when the fifth failed get no answer either.
            ensure_unlocked(ctx, &compte, address).await?;
            if !account.is_active {
                return Err(account_disabled());
            }
            store::forget_failures(&ctx.pool, &compte, address).await?;
            Ok(account)
        }
        _ => {
            store::record_failure(&ctx.pool, &compte, address, now).await?;
            Err(wrong_credentials())
        }
    }
}

fn lock_name(account: Option<&Account>, login: &str) -> String {
    match account {
        Some(account) => format!("id:{}", account.id),
        None => format!("nom:{}", login.to_lowercase().chars().take(254).collect::<String>()),
    }
}

async fn ensure_unlocked(ctx: &Ctx, compte: &str, address: &str) -> Result<()> {
    let now = ctx.clock.now();
    match store::locked_until(&ctx.pool, compte, address, now).await? {
        None => Ok(()),
        Some(until) => Err(Error::TooMany {
            code: "compte_verrouille",
            text: Text::new(
                "Trop d'essais de connexion : patientez quelques minutes avant de réessayer.",
                "Too many sign-in attempts: wait a few minutes before you try again.",
            ),
            retry_after_seconds: u64::try_from((until - now).num_seconds() + 1).unwrap_or(1),
        }),
    }
}

/// Issues an access token and the first refresh token of a new family.
pub async fn open_session(
    tx: &mut Tx<'_>,
    keys: &Keys,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<TokenResponse> {
    issue(tx, keys, account, Uuid::now_v7(), now).await
}

/// Exchanges a refresh token for new tokens: once. `None` when it is not good any more; a second use revokes all of
/// its family, so **the caller commits in both cases**.
pub async fn refresh(
    tx: &mut Tx<'_>,
    keys: &Keys,
    refresh_token: &str,
    now: DateTime<Utc>,
) -> Result<Option<TokenResponse>> {
    let Some(token) = store::find_for_update(tx, &fingerprint(refresh_token)).await? else {
        return Ok(None);
    };
    if token.used_at.is_some() {
        store::revoke_family(tx, token.famille, now).await?;
        return Ok(None);
    }
    if token.revoked_at.is_some() || token.expires_at <= now {
        return Ok(None);
    }
    store::mark_used(tx, token.id, now).await?;
    match users::find_account(&mut **tx, token.user_id).await? {
        Some(account) if account.is_active => {
            issue(tx, keys, &account, token.famille, now).await.map(Some)
        }
        _ => Ok(None),
    }
}

/// Revokes all refresh tokens of a user.
pub async fn revoke_all(tx: &mut Tx<'_>, user_id: i64, now: DateTime<Utc>) -> Result<()> {
    store::revoke_user(tx, user_id, now).await
}

async fn issue(
    tx: &mut Tx<'_>,
    keys: &Keys,
    account: &Account,
    famille: Uuid,
    now: DateTime<Utc>,
) -> Result<TokenResponse> {
    // 244 random bits: two version-4 UUIDs.
    let refresh_token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let expires_at = now + keys.refresh_lifetime();
    store::insert(tx, famille, account.id, &fingerprint(&refresh_token), expires_at).await?;
    Ok(TokenResponse {
        access_token: keys.access_token(account, now)?,
        refresh_token,
        token_type: "bearer",
        expires_in: keys.access_lifetime().num_seconds(),
    })
}

/// What is stored of a refresh token. It is random, so one pass of SHA-256 keeps it as secret as Argon2 would.
fn fingerprint(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

/// The account behind an access token, if it may still be used.
pub async fn account_of(ctx: &Ctx, access_token: &str) -> Result<Account> {
    let claims = ctx.keys.verify(access_token, ctx.clock.now())?;
    let account =
        users::find_account(&ctx.pool, claims.user_id).await?.ok_or_else(token_no_longer_valid)?;
    if !account.is_active {
        return Err(account_disabled());
    }
    if account.token_version != claims.ver {
        return Err(token_no_longer_valid());
    }
    Ok(account)
}

fn wrong_credentials() -> Error {
    Error::Unauthenticated {
        code: "identifiants_incorrects",
        text: Text::new("Identifiant ou mot de passe incorrect.", "Wrong username or password."),
    }
}

fn token_no_longer_valid() -> Error {
    Error::Unauthenticated {
        code: "session_terminee",
        text: Text::new(
            "Votre session n'est plus valable : reconnectez-vous.",
            "Your session is no longer valid: sign in again.",
        ),
    }
}

/// The 401 of a refresh token that is unknown, expired, used or revoked.
#[must_use]
pub fn refresh_refused() -> Error {
    token_no_longer_valid()
}

fn account_disabled() -> Error {
    Error::Forbidden {
        code: "compte_desactive",
        text: Text::new(
            "Ce compte est désactivé : adressez-vous à un administrateur.",
            "This account is disabled: contact an administrator.",
        ),
    }
}

/// Removes tokens that have expired and failures that are forgotten, in small batches; gives how many rows.
pub async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let tokens = store::purge_tokens(&mut **tx, now, limit).await?;
    let most = tokens.max(store::purge_failures(&mut **tx, now, limit).await?);
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}
