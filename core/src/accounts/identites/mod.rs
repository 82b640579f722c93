//! Identities: who the owner of an account is at the provider of the company, by which they sign in there.
//!
//! The first sign-in finds the account by the address that the provider has verified, and remembers who that was (`sub`). From then on
//! this decides: who gets another address at the provider, or that of somebody who has left, gets nobody's account.
mod store;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;

pub(super) use self::store::{forget, has_one};
use super::{
    invitations,
    store::{self as accounts_store, Purpose},
};
use crate::{
    Code, Ctx, Error, Lang, Noun, Result, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    auth,
    input::{Email, Field as _, Trimmed},
    oidc::Identity,
    secret,
    users::{self, Account, NewUser, PasswordHash, UserRole},
};

/// How long the application has to exchange the link of somebody who has just signed in at the provider.
const SIGN_IN: TimeDelta = TimeDelta::seconds(60);

impl Noun {
    pub const IDENTITE: Self = Self::new(
        Code::IdentiteIntrouvable,
        "Ce compte n'est rattaché à personne chez le fournisseur de connexion.",
        "This account is linked to nobody at the sign-in provider.",
    );
}

/// Why somebody is not let in, whether the provider vouches for them or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The account that they would have come to.
    pub user_id: Option<i64>,
    /// As the audit records it.
    pub motif: &'static str,
}

impl Refusal {
    #[must_use]
    pub fn new(motif: &'static str) -> Self {
        Self { user_id: None, motif }
    }

    fn of(user_id: i64, motif: &'static str) -> Self {
        Self { user_id: Some(user_id), motif }
    }

    /// Records the refusal at once, outside any transaction: nothing else is changed.
    pub async fn record(self, ctx: &Ctx, address: IpAddr) -> Result<()> {
        auth::refused(ctx, Acte::ConnexionRefusee, self.user_id, address, self.motif).await
    }
}

/// The account of somebody for whom the provider vouches, held. One that they come to for the first time is linked to them; one that
/// nobody has is made, with the role `create`, if that is given. On a refusal the caller does not commit.
pub async fn recognise(
    tx: &mut Tx<'_>,
    identity: &Identity,
    create: Option<UserRole>,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<Result<Account, Refusal>> {
    let found = match store::owner(tx, identity).await? {
        Some(id) => known(tx, identity, id).await?,
        None => link(tx, identity, create, auteur, now).await?,
    };
    if let Ok(account) = &found {
        let auteur = Auteur { user_id: Some(account.id), ..auteur.clone() };
        let entry = Entry::new(Acte::ConnexionEntreprise, &auteur).on(Cible::Compte, &account.id);
        entry.after(json!({ "emetteur": identity.issuer })).record(tx, now).await?;
    }
    Ok(found)
}

/// The account `id` of somebody who has come before. Who held it meanwhile may have unlinked it.
async fn known(tx: &mut Tx<'_>, identity: &Identity, id: i64) -> Result<Result<Account, Refusal>> {
    let found = working(tx, id).await?;
    let is_still_theirs = store::owner(tx, identity).await? == Some(id);
    if is_still_theirs && found.is_ok() {
        // An admin may have sent them a link to choose a password: nothing waits for who comes without one.
        invitations::forget(tx, id).await?;
    }
    Ok(found.and_then(|account| {
        if is_still_theirs { Ok(account) } else { Err(Refusal::of(id, "autre_identite")) }
    }))
}

/// The account `id`, held, if it may work.
async fn working(tx: &mut Tx<'_>, id: i64) -> Result<Result<Account, Refusal>> {
    let account = users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    Ok(match auth::ensure_may_work(&account) {
        Ok(()) => Ok(account),
        Err(_) if account.is_active => Err(Refusal::of(id, "client_inactif")),
        Err(_) => Err(Refusal::of(id, "compte_desactive")),
    })
}

/// Links the account with the address of `identity` to it.
async fn link(
    tx: &mut Tx<'_>,
    identity: &Identity,
    create: Option<UserRole>,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<Result<Account, Refusal>> {
    let given = identity.email.as_deref().filter(|_| identity.email_verified);
    let Some(Ok(Email(email))) = given.map(|email| Email::read(&json!(email))) else {
        return Ok(Err(Refusal::new("email_non_verifie")));
    };
    let id = match (users::find_by_email(&mut **tx, &email).await?, create) {
        (Some(id), _) => id,
        (None, Some(role)) => make(tx, identity, &email, role, auteur, now).await?,
        (None, None) => return Ok(Err(Refusal::new("compte_inconnu"))),
    };
    let account = match working(tx, id).await? {
        Ok(account) => account,
        refused => return Ok(refused),
    };
    if !account.email.eq_ignore_ascii_case(&email) {
        // Who held it meanwhile has given it another address; or only Unicode takes a letter of it for another (`K` for a Kelvin).
        return Ok(Err(Refusal::new("compte_inconnu")));
    }
    if !store::insert(tx, identity, id, now).await? {
        // Another request of theirs may just have done it.
        let is_theirs = store::owner(tx, identity).await? == Some(id);
        return Ok(if is_theirs { Ok(account) } else { Err(Refusal::of(id, "autre_identite")) });
    }
    let auteur = Auteur { user_id: Some(id), ..auteur.clone() };
    let entry = Entry::new(Acte::IdentiteRattachee, &auteur).on(Cible::Compte, &id);
    let who = json!({ "emetteur": identity.issuer, "sujet": identity.sub });
    entry.after(who).record(tx, now).await?;
    if invitations::end(tx, id).await?.is_some() {
        // They have come, and the address is theirs: nothing waits any more.
        invitations::forget(tx, id).await?;
        let entry = Entry::new(Acte::InvitationAcceptee, &auteur).on(Cible::Compte, &id);
        entry.record(tx, now).await?;
    }
    Ok(Ok(account))
}

/// Makes an account without a password.
async fn make(
    tx: &mut Tx<'_>,
    identity: &Identity,
    email: &str,
    role: UserRole,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<i64> {
    let name = identity.name.as_deref().and_then(|name| Trimmed::<200>::read(&json!(name)).ok());
    let username = username(tx, email).await?;
    let new = NewUser {
        username: &username,
        full_name: name.as_ref().map_or(email, |name| &name.0),
        email,
        role,
        client_id: None,
        langue: identity.langue.unwrap_or(Lang::Fr),
    };
    let user = users::create_account(tx, &new, &PasswordHash::none(), now).await?;
    let entry = Entry::new(Acte::CompteCree, auteur).on(Cible::Compte, &user.id);
    let made = json!({
        "username": user.username, "full_name": user.full_name, "email": user.email, "role": user.role,
        "par": "entreprise",
    });
    entry.after(made).record(tx, now).await?;
    Ok(user.id)
}

/// The address, cut to the length of a username; with some letters at its end where somebody is called so already.
async fn username(tx: &mut Tx<'_>, email: &str) -> Result<String> {
    let cut = |length| email.chars().take(length).collect::<String>();
    let whole = cut(64);
    if users::find_by_login(&mut **tx, &whole).await?.is_none() {
        return Ok(whole);
    }
    Ok(format!("{}-{}", cut(55), secret::hex(&rand::random::<[u8; 4]>())))
}

/// Makes a link by which the application signs in the owner of `account`, once and soon ([`super::links::sign_in`]).
pub async fn sign_in_link(tx: &mut Tx<'_>, account: &Account, now: DateTime<Utc>) -> Result<Uuid> {
    let (id, end) = (Uuid::now_v7(), now + SIGN_IN);
    let link = accounts_store::Link { id, purpose: Purpose::Connexion, end };
    accounts_store::insert(tx, &link, account, now).await?;
    Ok(id)
}

/// Forgets who the owner of account `id` is at the provider: the next sign-in there finds the account by its address again. A
/// session goes on.
pub async fn unlink(tx: &mut Tx<'_>, id: i64, auteur: &Auteur, now: DateTime<Utc>) -> Result<()> {
    users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    if !forget(tx, id).await? {
        return Err(Error::NotFound(Noun::IDENTITE));
    }
    let entry = Entry::new(Acte::IdentiteOubliee, auteur).on(Cible::Compte, &id);
    entry.record(tx, now).await
}
