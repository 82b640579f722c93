//! API keys: what somebody gives to a script in place of a password.
//!
//! A key does what its owner may do at the moment of the request, and of that only what its `portees` name: never more. It is read at
//! every request, so whoever revokes one is sure of it at once. **It ends with what ends all sessions of its owner for good**: a new
//! password, another role or address, a disabled account, an admin who ends their access.
mod store;
mod types;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

pub use types::{ApiKeyCreate, ApiKeyMade, ApiKeyOut, Portee};

use super::{Caller, hold_session, lacks_second_factor, may_work};
use crate::{
    Code, Ctx, Error, Noun, Result, Text, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    input::{Fault, Wrong},
    keys::invalid,
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
    secret,
};

/// What every key begins with, so that programs that look for secrets in files find it. No access token begins so.
const PREFIX: &str = "mif_";
/// How many characters of a key its owner is shown.
const SHOWN: usize = 12;
/// The most keys of an account.
const MOST: usize = 20;
/// How long a key is good, unless its owner says otherwise, and at most.
const USUAL: TimeDelta = TimeDelta::days(90);
const LONGEST: TimeDelta = TimeDelta::days(366);
/// How exactly the last use is known.
const PRECISION: TimeDelta = TimeDelta::minutes(1);

impl Noun {
    pub const API_KEY: Self = Self::new(
        Code::CleApiIntrouvable,
        "Clé introuvable, ou déjà révoquée.",
        "Key not found, or revoked already.",
    );
}

/// Whose key a request has, and what the key may do.
#[derive(Debug)]
pub struct KeyHolder {
    /// The owner; `session` is the id of the key.
    pub caller: Caller,
    portees: Vec<Portee>,
}

impl KeyHolder {
    /// Refuses, with a 403, what the key is not for.
    pub fn ensure(&self, wanted: Portee) -> Result<()> {
        if self.portees.iter().any(|has| has.covers(wanted)) {
            return Ok(());
        }
        Err(Error::Forbidden {
            code: Code::PorteeInsuffisante,
            text: Text::new(
                format!("Cette clé n'a pas le droit « {wanted} » : créez-en une qui l'a."),
                format!("This key lacks the right “{wanted}”: make one that has it."),
            ),
        })
    }
}

/// The 403 of what no key may do.
#[must_use]
pub fn for_people() -> Error {
    Error::Forbidden {
        code: Code::PorteeInsuffisante,
        text: Text::new(
            "Une clé d'API ne peut pas faire cela : connectez-vous.",
            "An API key cannot do this: sign in.",
        ),
    }
}

/// Whether `token` is meant as a key, not as an access token.
#[must_use]
pub fn is_key(token: &str) -> bool {
    token.starts_with(PREFIX)
}

/// The owner of `key`, and what it may do; a 401 if it is not good, a 403 if its owner may not work.
pub async fn holder(ctx: &Ctx, key: &str) -> Result<KeyHolder> {
    let now = ctx.clock.now();
    let found = store::find(&ctx.pool, &secret::hash(key), now).await?.ok_or_else(invalid)?;
    may_work(found.is_active, found.client_actif)?;
    let is_stale = found.utilisee_le.is_none_or(|last| last <= now - PRECISION);
    if is_stale && !store::touch(&ctx.pool, found.id, now).await? {
        // Revoked while this waited for its row.
        return Err(invalid());
    }
    let must_enrol = lacks_second_factor(&ctx.config.auth, found.role, found.second_facteur);
    let (role, client_id) = (found.role, found.client_id);
    let caller = Caller { id: found.user_id, role, client_id, session: found.id, must_enrol };
    Ok(KeyHolder { caller, portees: store::known(&found.portees) })
}

/// Makes a key for user `user_id`, whose session is `session`, and mails them. `Conflict` if they have too many, `Invalid` if it
/// would end in the past or in more than a year.
pub async fn create(
    tx: &mut Tx<'_>,
    user_id: i64,
    session: Uuid,
    new: ApiKeyCreate,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<ApiKeyMade> {
    let account = hold_session(tx, user_id, session, now).await?;
    let expires_at = new.expires_at.unwrap_or(now + USUAL);
    if expires_at <= now || expires_at > now + LONGEST {
        return Err(out_of_range());
    }
    if store::list(&mut **tx, user_id, now).await?.len() >= MOST {
        return Err(too_many());
    }
    let cle = format!("{PREFIX}{}", secret::draw());
    let mut portees = new.portees;
    portees.sort_unstable_by_key(|portee| portee.as_str());
    portees.dedup();
    let row = ApiKeyOut {
        id: Uuid::now_v7(),
        nom: new.nom,
        debut: cle.chars().take(SHOWN).collect(),
        portees,
        created_at: now,
        expires_at,
        last_used_at: None,
    };
    store::insert(tx, &account, &row, &secret::hash(&cle)).await?;
    Entry::new(Acte::CleApiCreee, auteur)
        .on(Cible::CleApi, &row.id)
        .after(json!({ "nom": row.nom, "portees": row.portees, "expires_at": row.expires_at }))
        .record(tx, now)
        .await?;
    notify(tx, user_id, auteur, now).await?;
    Ok(ApiKeyMade { row, cle })
}

/// The keys of user `user_id` that are good, the newest first.
pub async fn list(pool: &PgPool, user_id: i64, now: DateTime<Utc>) -> Result<Vec<ApiKeyOut>> {
    store::list(pool, user_id, now).await
}

/// Revokes key `id` of user `user_id`.
pub async fn revoke(
    tx: &mut Tx<'_>,
    user_id: i64,
    id: Uuid,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<()> {
    let nom = store::delete(tx, user_id, id).await?.ok_or(Error::NotFound(Noun::API_KEY))?;
    let entry = Entry::new(Acte::CleApiRevoquee, auteur).on(Cible::CleApi, &id);
    entry.before(json!({ "nom": nom })).record(tx, now).await
}

/// Revokes all keys of user `user_id`, for an operation that records itself.
pub(crate) async fn revoke_all(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    store::delete_all(tx, user_id).await
}

/// Removes up to `limit` keys that have ended.
pub(super) async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<u64> {
    store::purge(tx, now, limit).await
}

async fn notify(tx: &mut Tx<'_>, id: i64, auteur: &Auteur, now: DateTime<Utc>) -> Result<()> {
    let avis = AccountNotice {
        adresse: auteur.adresse.clone(),
        ..AccountNotice::new(AccountEvent::CleApi, now)
    };
    outgoing_mails::open_account_notice(tx, id, &avis, now).await
}

fn out_of_range() -> Error {
    let Wrong { msg, kind } = Wrong::new(
        "date_hors_limites",
        "Choisissez une fin à venir, dans un an au plus.",
        "Choose an end in the future, within a year",
    );
    let loc = vec!["body".to_owned(), "expires_at".to_owned()];
    Error::Invalid(vec![Fault { loc, msg, kind }])
}

fn too_many() -> Error {
    Error::conflict(
        Code::TropDeClesApi,
        "Vous avez déjà vingt clés : révoquez-en une d'abord.",
        "You have twenty keys already: revoke one first.",
    )
}
