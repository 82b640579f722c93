//! Trusted devices: for thirty days their owner signs in there by the password alone.
//!
//! A device has a secret, of which the hash is stored. A change of password, address or role ends it, as it ends sessions: its row
//! names the `token_version` of the account.
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::PgExecutor;

use super::store;
use crate::{
    Result, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    auth::Origin,
    secret,
    users::{self, Account},
};

/// How long a device is trusted.
pub const LIFETIME: TimeDelta = TimeDelta::days(30);
/// The most devices of an account: the oldest make room.
const MOST: i64 = 10;

/// Whether `secret` is that of a device which the owner of `account` trusts at `now`.
pub(in crate::auth) async fn is_trusted(
    db: impl PgExecutor<'_>,
    account: &Account,
    secret: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    Ok(account.second_facteur.is_some()
        && store::is_trusted(db, account, &secret::hash(secret), now).await?)
}

/// Trusts the device of `origin`, for the owner of account `user_id`, who has just named a code. Returns its secret, for the device
/// alone.
pub async fn trust(
    tx: &mut Tx<'_>,
    user_id: i64,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let account = users::hold(tx, user_id).await?;
    let Some(account) = account.filter(|account| account.second_facteur.is_some()) else {
        return Ok(None);
    };
    let secret = secret::draw();
    store::insert_device(tx, &account, &secret::hash(&secret), origin, [now, now + LIFETIME])
        .await?;
    store::keep_newest(tx, user_id, MOST).await?;
    let adresse = (!origin.adresse.is_empty()).then(|| origin.adresse.clone());
    let auteur = Auteur { user_id: Some(user_id), adresse, ..Auteur::default() };
    Entry::new(Acte::AppareilSur, &auteur)
        .on(Cible::Compte, &user_id)
        .after(json!({ "user_agent": origin.user_agent }))
        .record(tx, now)
        .await?;
    Ok(Some(secret))
}

/// Forgets the trusted devices of the caller `user_id`: each is asked for a code again.
pub async fn forget(
    tx: &mut Tx<'_>,
    user_id: i64,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<()> {
    forget_all(tx, user_id).await?;
    let entry = Entry::new(Acte::AppareilsOublies, auteur).on(Cible::Compte, &user_id);
    entry.record(tx, now).await
}

/// The same, for an operation that records itself.
pub(crate) async fn forget_all(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    users::hold(tx, user_id).await?;
    store::forget_devices(tx, user_id).await
}

/// Removes up to `limit` devices whose time is over.
pub(in crate::auth) async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<u64> {
    store::purge_devices(tx, now, limit).await
}
