//! A forgotten password: a link is mailed, which gives the account a new one.
//!
//! Whoever asks is told the same in the same time, whether there is such an account or not: the request only enqueues a job, and
//! the job looks. A link is good once, for [`LIFETIME`], until a newer one is made or the password changes.
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

pub use super::store::{Purpose, owner};
use super::{identites, invitations, replace_password, store};
use crate::{
    Error, Noun, Result, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    auth::{self, SignIn},
    jobs::{self, Job},
    keys::Keys,
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
    users::{self, PasswordHash},
};

/// How long a link can be used, from the request on.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(30);
/// A request so soon after the last one makes no link: the mail of the last one has arrived, or is about to.
const PATIENCE: TimeDelta = TimeDelta::minutes(2);
/// After so many links within [`WINDOW`] none is made while the last one can be used. Each new link ends the one before it: a
/// stranger who kept asking would otherwise end every link before its owner can use it.
const MOST: i64 = 5;
const WINDOW: TimeDelta = TimeDelta::hours(1);

/// Mails a link to the account with this address, if there is one that may work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MailLink {
    pub email: String,
    /// The IP address that asked.
    pub adresse: String,
    pub demande_le: DateTime<Utc>,
}

impl Job for MailLink {
    const QUEUE: &'static str = "comptes.oubli";
    const CONCURRENCY: usize = 2;
}

/// Enqueues [`MailLink`] for whoever has the address `email`.
pub async fn ask(tx: &mut Tx<'_>, email: &str, address: IpAddr, now: DateTime<Utc>) -> Result<()> {
    let adresse = address.to_canonical().to_string();
    jobs::enqueue(tx, &MailLink { email: email.to_owned(), adresse, demande_le: now }).await
}

/// Runs [`MailLink`]: makes a link, ends those made before, and opens the mail. Makes none if
///
/// * no account has the address, the account may not work, or its owner was invited, the invitation is over, and they have not signed in
///   at the provider of the company, which has verified the address;
/// * the last link is good, and was asked for within `PATIENCE` or was the last of `MOST` within `WINDOW`;
/// * the request is older than [`LIFETIME`]: no worker has run meanwhile, and the link would have expired.
pub async fn mail_link(tx: &mut Tx<'_>, job: &MailLink, now: DateTime<Utc>) -> Result<()> {
    let expire_le = job.demande_le + LIFETIME;
    if expire_le <= now {
        return Ok(());
    }
    let Some(id) = users::find_by_email(&mut **tx, &job.email).await? else { return Ok(()) };
    let Some(account) = users::hold(tx, id).await? else { return Ok(()) };
    if auth::ensure_may_work(&account).is_err() {
        return Ok(());
    }
    // Who has no password yet chooses one as long as the invitation is good: the address may be wrong.
    if account.password_hash.is_none()
        && invitations::end(tx, id).await?.is_none_or(|end| end <= now)
        && !identites::has_one(tx, id).await?
    {
        return Ok(());
    }
    if let Some(end) = store::last_good(tx, &account, now).await?
        && (expire_le - end < PATIENCE
            || end - now > PATIENCE && store::count_since(tx, id, now - WINDOW).await? >= MOST)
    {
        tracing::info!(user.id = id, "no link for a new password: the last one is good");
        return Ok(());
    }
    store::end_forgotten(tx, id, now).await?;
    let lien = Uuid::now_v7();
    let link = store::Link { id: lien, purpose: Purpose::Oubli, end: expire_le };
    store::insert(tx, &link, &account, now).await?;
    let adresse = Some(job.adresse.clone());
    let avis = AccountNotice {
        adresse: adresse.clone(),
        lien: Some(lien),
        ..AccountNotice::new(AccountEvent::Oubli, job.demande_le)
    };
    outgoing_mails::open_account_notice(tx, id, &avis, now).await?;
    // Nobody is signed in: the owner may not be who asked.
    let auteur = Auteur { adresse, ..Auteur::default() };
    let entry = Entry::new(Acte::MotDePasseOublie, &auteur).on(Cible::Compte, &id);
    entry.record(tx, now).await
}

/// Gives the owner of link `id` a new password, ends all access that the old one gave and the locks after wrong ones, and mails
/// the owner that it changed. Returns false, and changes nothing, if the link is no longer good.
pub async fn use_link(
    tx: &mut Tx<'_>,
    id: Uuid,
    hash: &PasswordHash,
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<bool> {
    let Some(owner) = store::taken(tx, id, Purpose::Oubli, now).await? else { return Ok(false) };
    replace_password(tx, owner, hash, address, now).await?;
    // In the order of `auth::purge`: sessions, then failures.
    auth::forget_failures(tx, owner).await?;
    let adresse = Some(address.to_canonical().to_string());
    let auteur = Auteur { user_id: Some(owner), adresse, ..Auteur::default() };
    let entry = Entry::new(Acte::MotDePasseChange, &auteur).on(Cible::Compte, &owner);
    entry.after(json!({ "par": "lien" })).record(tx, now).await?;
    Ok(true)
}

/// Takes a link that signs in who has just accepted an invitation ([`invitations::accept`]) or come from the provider of the company
/// ([`identites::sign_in_link`]); `None` if it is no longer good. The secret of a trusted device (`appareil`) stands for the second
/// factor. It is used up whatever follows, so **the caller commits in both cases of [`SignIn`]**.
pub async fn sign_in(
    tx: &mut Tx<'_>,
    keys: &Keys,
    id: Uuid,
    appareil: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Option<SignIn>> {
    let Some(owner) = store::taken(tx, id, Purpose::Connexion, now).await? else {
        return Ok(None);
    };
    let account = users::hold(tx, owner).await?.ok_or(Error::NotFound(Noun::USER))?;
    SignIn::of(&mut **tx, keys, account, appareil, now).await.map(Some)
}

/// Removes up to `limit` links whose time was over an hour ago (those of an hour are counted).
pub async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    store::purge(tx, now - WINDOW, limit).await
}
