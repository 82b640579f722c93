//! Sessions: one row for each sign-in, read with the account at every request, of the same caller at most ten times a second
//! ([`super::callers`]).
//!
//! **No session outlives what should have ended it.** Every function that opens, exchanges or ends a session first locks the
//! row of its account ([`users::hold`]), and then reads: of two concurrent ones, the second sees what the first has done.
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    Caller, Callers, TokenResponse, device, ensure_may_work, lacks_second_factor, may_work,
    refresh_token::RefreshToken, store, wrong_credentials,
};
use crate::{
    Code, Ctx, Error, Noun, Result, Text, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    keys::Keys,
    users::{self, Account},
};

/// How long after an exchange the previous token still gives the present one: the response may have been lost, or two tabs may
/// have sent the same token.
const GRACE: TimeDelta = TimeDelta::seconds(10);
/// The most sessions that a list shows: those used last.
const MOST_SHOWN: i64 = 100;
/// How long a session of the pages of this server lasts: a working day.
pub const PAGES_FOR: TimeDelta = TimeDelta::hours(12);
/// How long the row of a session is kept after its `expires_at`, for investigations.
const KEPT: TimeDelta = TimeDelta::days(30);

crate::enumeration! {
    /// Why a session was ended before its time.
    Motif {
        Deconnexion = "deconnexion",
        DeconnexionPartout = "deconnexion_partout",
        Administrateur = "administrateur",
        MotDePasse = "mot_de_passe",
        /// A refresh token that had been exchanged came again: somebody else has a copy.
        Reutilisation = "reutilisation",
        Desactivation = "desactivation",
    }
}

/// Where a session is opened from, as its owner will see it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The address of the client.
    pub adresse: String,
    /// What the client calls itself: at most 300 characters, without control characters.
    pub user_agent: Option<String>,
}

impl Origin {
    /// `user_agent` is the raw header: control characters are removed here, and the text is cut.
    #[must_use]
    pub fn new(adresse: std::net::IpAddr, user_agent: Option<&[u8]>) -> Self {
        let clean = |bytes| {
            let text = String::from_utf8_lossy(bytes);
            text.chars().filter(|c| !c.is_control()).take(300).collect::<String>()
        };
        let user_agent = user_agent.map(clean).filter(|text| !text.is_empty());
        Self { adresse: adresse.to_string(), user_agent }
    }

    fn auteur(&self, user_id: i64, session: Uuid) -> Auteur {
        let adresse = (!self.adresse.is_empty()).then(|| self.adresse.clone());
        Auteur { user_id: Some(user_id), session: Some(session), adresse }
    }
}

/// A session as its owner sees it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionOut {
    pub id: Uuid,
    /// The sign-in.
    pub created_at: DateTime<Utc>,
    /// The last exchange of its refresh token; its access tokens may have been used since.
    pub last_used_at: DateTime<Utc>,
    /// When it ends if nobody exchanges its refresh token again.
    pub expires_at: DateTime<Utc>,
    /// The address that it was opened from.
    pub adresse_ip: Option<String>,
    /// The program that it was opened with, as that calls itself.
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub actuelle: bool,
}

pub(super) struct Session {
    pub id: Uuid,
    pub token_version: i32,
    pub empreinte: Vec<u8>,
    pub empreinte_avant: Option<Vec<u8>>,
    pub sel: Option<Vec<u8>>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub fin: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

impl Session {
    fn lives(&self, account: &Account, now: DateTime<Utc>) -> bool {
        self.revoked_at.is_none()
            && self.expires_at > now
            && self.token_version == account.token_version
            && account.is_active
    }
}

/// Opens a session of `account`, which is as read when its owner proved who they are ([`super::sign_in()`],
/// [`super::second_factor::verify`]). The error is the 401 of a wrong password if the password has changed since, or the second
/// factor.
pub async fn open_session(
    tx: &mut Tx<'_>,
    keys: &Keys,
    account: &Account,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<TokenResponse> {
    let token = RefreshToken::new();
    let fin = now + keys.session_lifetime();
    let expires_at = fin.min(now + keys.refresh_lifetime());
    let (id, held) = begin(tx, account, origin, &token, (expires_at, fin), now).await?;
    answer(keys, &held, id, token, expires_at, now)
}

/// Opens a session of the pages of this server, and returns its id, by which [`page_caller`] knows it. It has no tokens, and ends
/// after [`PAGES_FOR`]. The error is that of [`open_session`].
pub async fn open_page_session(
    tx: &mut Tx<'_>,
    account: &Account,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let end = now + PAGES_FOR;
    // Nobody gets this token, so nobody can exchange it.
    let (id, _) = begin(tx, account, origin, &RefreshToken::new(), (end, end), now).await?;
    Ok(id)
}

/// Writes the row of a session that ends at `expires_at` unless its token is exchanged, and at `fin` in any case.
async fn begin(
    tx: &mut Tx<'_>,
    account: &Account,
    origin: &Origin,
    token: &RefreshToken,
    (expires_at, fin): (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
) -> Result<(Uuid, Account)> {
    let held = users::hold(tx, account.id).await?.ok_or_else(wrong_credentials)?;
    ensure_may_work(&held)?;
    let proved = (account.token_version, account.second_facteur);
    if (held.token_version, held.second_facteur) != proved {
        return Err(wrong_credentials());
    }
    let id = Uuid::now_v7();
    let new = store::NewSession {
        id,
        account: &held,
        famille: &token.famille(),
        empreinte: &token.hash(),
        expires_at,
        fin,
        origin,
    };
    store::insert(tx, &new, now).await?;
    users::set_last_login(tx, held.id, now).await?;
    let auteur = origin.auteur(held.id, id);
    Entry::new(Acte::Connexion, &auteur)
        .on(Cible::Compte, &held.id)
        .after(json!({ "user_agent": origin.user_agent }))
        .record(tx, now)
        .await?;
    device::signed_in(tx, held.id, origin, now).await?;
    Ok((id, held))
}

/// Exchanges a refresh token for new tokens. Returns `None` when the token is not valid any more. A token that was exchanged
/// before also ends its session, so **the caller commits in both cases**. Within `GRACE` the token exchanged last gives the
/// same successor again.
pub async fn refresh(
    tx: &mut Tx<'_>,
    keys: &Keys,
    refresh_token: &str,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Option<TokenResponse>> {
    let Some(given) = RefreshToken::parse(refresh_token) else { return Ok(None) };
    let Some(user_id) = store::owner(tx, &given.famille()).await? else { return Ok(None) };
    let Some(account) = users::hold(tx, user_id).await? else { return Ok(None) };
    let Some(session) = store::find_for_update(tx, &given.famille()).await? else {
        return Ok(None);
    };
    if !session.lives(&account, now) {
        return Ok(None);
    }
    ensure_may_work(&account)?;
    let empreinte = given.hash();
    if empreinte == session.empreinte {
        let sel: [u8; 32] = rand::random();
        let next = given.successor(&sel);
        let expires_at = session.fin.min(now + keys.refresh_lifetime());
        store::exchange(tx, session.id, &next.hash(), &sel, expires_at, now).await?;
        return answer(keys, &account, session.id, next, expires_at, now).map(Some);
    }
    if let Some(sel) = session.sel.as_deref()
        && session.empreinte_avant.as_deref() == Some(&empreinte)
        && now - session.last_used_at <= GRACE
    {
        let next = given.successor(sel);
        return answer(keys, &account, session.id, next, session.expires_at, now).map(Some);
    }
    store::revoke(tx, session.id, Motif::Reutilisation, now).await?;
    let auteur = origin.auteur(account.id, session.id);
    tracing::warn!(
        user.id = account.id,
        client.address = origin.adresse,
        reason = "refresh token used again",
        "session ended"
    );
    let entry = Entry::new(Acte::JetonReutilise, &auteur).on(Cible::Session, &session.id);
    entry.record(tx, now).await?;
    Ok(None)
}

fn answer(
    keys: &Keys,
    account: &Account,
    sid: Uuid,
    refresh_token: RefreshToken,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<TokenResponse> {
    // No access token outlives its session.
    let until = expires_at.min(now + keys.access_lifetime());
    Ok(TokenResponse {
        access_token: keys.access_token(account, sid, now, until)?,
        refresh_token: refresh_token.into_text(),
        token_type: "bearer",
        expires_in: (until - now).num_seconds(),
    })
}

/// Ends session `id` of user `user_id`; returns whether it was one of theirs that had not ended.
pub async fn end_session(
    tx: &mut Tx<'_>,
    user_id: i64,
    id: Uuid,
    motif: Motif,
    now: DateTime<Utc>,
) -> Result<bool> {
    users::hold(tx, user_id).await?;
    let lives = store::lives(tx, id, user_id, now).await?;
    if lives {
        store::revoke(tx, id, motif, now).await?;
    }
    Ok(lives)
}

/// Ends all sessions of user `user_id` except `keep`.
pub async fn end_sessions(
    tx: &mut Tx<'_>,
    user_id: i64,
    keep: Option<Uuid>,
    motif: Motif,
    now: DateTime<Utc>,
) -> Result<()> {
    users::hold(tx, user_id).await?.ok_or(Error::NotFound(Noun::USER))?;
    store::revoke_all(tx, user_id, keep, motif, now).await
}

/// The sessions of user `user_id` that have not ended, at most a hundred, those used last first. `present` is that of the
/// request.
pub async fn sessions(
    pool: &PgPool,
    user_id: i64,
    present: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<Vec<SessionOut>> {
    store::list(pool, user_id, present.unwrap_or_default(), MOST_SHOWN, now).await
}

/// The account and the session of an access token; a 401 if the session has ended, a 403 if the account may not be used.
pub async fn caller(ctx: &Ctx, callers: &Callers, access_token: &str) -> Result<Caller> {
    let (now, since) = (ctx.clock.now(), Instant::now());
    let claims = ctx.keys.verify(access_token, now)?;
    of_session(ctx, callers, claims.user_id, claims.sid, (now, since)).await
}

/// The same of a session of pages, whose cookie has proved its id.
pub async fn page_caller(
    ctx: &Ctx,
    callers: &Callers,
    user_id: i64,
    session: Uuid,
) -> Result<Caller> {
    let (now, since) = (ctx.clock.now(), Instant::now());
    of_session(ctx, callers, user_id, session, (now, since)).await
}

async fn of_session(
    ctx: &Ctx,
    callers: &Callers,
    user_id: i64,
    session: Uuid,
    (now, since): (DateTime<Utc>, Instant),
) -> Result<Caller> {
    if let Some(known) = callers.find(session, user_id, since, now) {
        return Ok(known);
    }
    let found =
        store::find_caller(&ctx.pool, session, user_id, now).await?.ok_or_else(session_ended)?;
    may_work(found.is_active, found.client_actif)?;
    let expires_at = found.lives_until.ok_or_else(session_ended)?;
    let must_enrol = lacks_second_factor(&ctx.config.auth, found.role, found.second_facteur);
    let (role, client_id) = (found.role, found.client_id);
    let caller = Caller { id: user_id, role, client_id, session, must_enrol };
    callers.insert(caller, expires_at, since);
    Ok(caller)
}

/// The account of `session`. No other transaction can end the session until this one ends. For requests that create something
/// lasting (a password, the secret of a calendar), so that nothing is created after the session has ended.
pub async fn hold_session(
    tx: &mut Tx<'_>,
    user_id: i64,
    session: Uuid,
    now: DateTime<Utc>,
) -> Result<Account> {
    let account = users::hold(tx, user_id).await?.ok_or_else(session_ended)?;
    ensure_may_work(&account)?;
    match store::find_caller(&mut **tx, session, user_id, now).await? {
        Some(found) if found.lives_until.is_some() => Ok(account),
        _ => Err(session_ended()),
    }
}

/// The 401 of a session that has ended, and of a refresh token that is not valid.
#[must_use]
pub fn session_ended() -> Error {
    Error::Unauthenticated {
        code: Code::SessionTerminee,
        text: Text::new(
            "Votre session n'est plus valable : reconnectez-vous.",
            "Your session is no longer valid: sign in again.",
        ),
    }
}

/// Removes sessions that expired [`KEPT`] ago, and expired refresh tokens of earlier versions; up to `limit` of each.
pub(super) async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<u64> {
    let sessions = store::purge_sessions(&mut **tx, now - KEPT, limit).await?;
    Ok(sessions.max(store::purge_tokens(&mut **tx, now, limit).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_calls_itself_is_kept_short_and_printable() {
        let address = std::net::IpAddr::from([192, 0, 2, 7]);
        let said = |bytes: &[u8]| Origin::new(address, Some(bytes)).user_agent;
        assert_eq!(said(b"Firefox\t\x07\x00 145"), Some("Firefox 145".to_owned()));
        assert_eq!(said(&[b'a'; 5000]).unwrap().len(), 300);
        assert_eq!(said(b"\t"), None);
        assert!(said(&[0xff, b'a']).unwrap().ends_with('a'));
    }
}
