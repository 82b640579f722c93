//! Names and passwords.
//!
//! A wrong password, an account that does not exist and one that is locked get the same response, in code, text and time:
//! somebody who guesses learns nothing, not even that one of the guesses that were not checked was right.
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::PgExecutor;

use super::{
    attempts::Attempt,
    ensure_may_work,
    second_factor::{Challenge, devices},
};
use crate::{
    Code, Ctx, Error, Result, Text,
    audit::{Acte, Auteur, Cible, Entry},
    keys::Keys,
    users::{self, Account, Password, Verified},
};

/// What a right password leads to.
#[derive(Debug)]
pub enum SignIn {
    /// A session may be opened ([`super::open_session`]).
    Open(Account),
    /// A code of the second factor is asked for first ([`super::second_factor::verify`]).
    SecondFactor(Challenge),
}

impl SignIn {
    /// What follows for `account`, whose owner has proved who they are by one factor. The secret of a trusted device (`appareil`) of the
    /// account stands for the second one.
    pub async fn of(
        db: impl PgExecutor<'_>,
        keys: &Keys,
        account: Account,
        appareil: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let is_trusted = match appareil {
            Some(secret) => devices::is_trusted(db, &account, secret, now).await?,
            None => false,
        };
        if account.second_facteur.is_none() || is_trusted {
            return Ok(Self::Open(account));
        }
        Challenge::new(keys, &account, now).map(Self::SecondFactor)
    }
}

/// Checks a name (or e-mail address) and password that come from `address`. The secret of a trusted device (`appareil`) of the
/// account stands for its second factor. Counts and audit entries are written at once, outside any transaction: they stay, whether
/// the request succeeds or not.
pub async fn sign_in(
    ctx: &Ctx,
    login: &str,
    password: Password,
    appareil: Option<&str>,
    address: IpAddr,
) -> Result<SignIn> {
    let (account, now) = (users::find_by_login(&ctx.pool, login).await?, ctx.clock.now());
    let who = Who { login, account, acte: Acte::ConnexionRefusee, address };
    let (account, attempt) = judge(ctx, who, password).await?.ok_or_else(wrong_credentials)?;
    let next = SignIn::of(&ctx.pool, &ctx.keys, account.clone(), appareil, now).await?;
    match next {
        SignIn::Open(_) => attempt.succeeded(&ctx.pool).await?,
        // The wrong codes of before stay counted.
        SignIn::SecondFactor(_) => attempt.gave_up(&ctx.pool).await?,
    }
    if let Err(error) = ensure_may_work(&account) {
        let motif = if account.is_active { "client_inactif" } else { "compte_desactive" };
        refused(ctx, Acte::ConnexionRefusee, Some(account.id), address, motif).await?;
        return Err(error);
    }
    Ok(next)
}

/// The account of user `id`, or `None` if `password` is not its own. A wrong one counts, and locks, like one at sign-in.
pub async fn confirm_password(
    ctx: &Ctx,
    id: i64,
    password: Password,
    address: IpAddr,
) -> Result<Option<Account>> {
    let (login, account) = (format!("id:{id}"), users::find_account(&ctx.pool, id).await?);
    let who = Who { login: &login, account, acte: Acte::MotDePasseRefuse, address };
    let Some((account, attempt)) = judge(ctx, who, password).await? else { return Ok(None) };
    match account.second_facteur {
        None => attempt.succeeded(&ctx.pool).await?,
        // The wrong codes of before stay counted.
        Some(_) => attempt.gave_up(&ctx.pool).await?,
    }
    Ok(Some(account))
}

/// A claim to know the password of an account.
struct Who<'a> {
    login: &'a str,
    account: Option<Account>,
    /// What is recorded when the password is refused.
    acte: Acte,
    address: IpAddr,
}

/// The account, if `password` is its own and may be looked at, and the attempt, which its caller takes back.
async fn judge(ctx: &Ctx, who: Who<'_>, password: Password) -> Result<Option<(Account, Attempt)>> {
    let Who { login, account, acte, address } = who;
    let id = account.as_ref().map(|account| account.id);
    let attempt = Attempt::begin(&ctx.pool, login, id, address, ctx.clock.now()).await?;
    tokio::time::sleep(attempt.wait).await;
    let stored = account.as_ref().filter(|_| attempt.judged).map(|a| a.password_hash.clone());
    let others = users::other_hashes(&ctx.pool).await?;
    match users::verify_password(password, stored, others).await {
        Ok(Verified::Right { renewed }) => {
            if let (Some(account), Some(hash)) = (&account, renewed) {
                users::renew_hash(&ctx.pool, account, &hash).await?;
            }
            Ok(account.map(|account| (account, attempt)))
        }
        Ok(Verified::Wrong) => {
            let motif = match id {
                _ if !attempt.judged => "verrouille",
                Some(_) => "mot_de_passe",
                None => "compte_inconnu",
            };
            refused(ctx, acte, id, address, motif).await?;
            if attempt.is_last {
                refused(ctx, Acte::Verrouillage, id, address, motif).await?;
            }
            Ok(None)
        }
        Err(error) => {
            attempt.gave_up(&ctx.pool).await?;
            Err(error)
        }
    }
}

/// Records a refusal and its reason; not what was typed: it may be a password in the wrong field.
pub(crate) async fn refused(
    ctx: &Ctx,
    acte: Acte,
    user_id: Option<i64>,
    address: IpAddr,
    motif: &str,
) -> Result<()> {
    let action = acte.as_str();
    tracing::warn!(user.id = user_id, client.address = %address, action, reason = motif, "access refused");
    let auteur = Auteur { adresse: Some(address.to_string()), ..Auteur::default() };
    let entry = Entry::new(acte, &auteur).after(json!({ "motif": motif }));
    let entry = match user_id {
        Some(id) => entry.on(Cible::Compte, &id),
        None => entry,
    };
    let mut connection = ctx.pool.acquire().await?;
    entry.record(&mut connection, ctx.clock.now()).await
}

/// The 400 of a current password that is not the caller's.
#[must_use]
pub fn wrong_current_password() -> Error {
    Error::refused(
        Code::MotDePasseActuelIncorrect,
        "Le mot de passe actuel est incorrect. Après cinq essais manqués, attendez cinq minutes.",
        "The current password is wrong. After five failed attempts wait for five minutes.",
    )
}

/// The 401 of a sign-in, the same whatever was wrong.
pub(super) fn wrong_credentials() -> Error {
    Error::Unauthenticated {
        code: Code::IdentifiantsIncorrects,
        text: Text::new(
            "Identifiant ou mot de passe incorrect. Après cinq essais manqués, attendez cinq minutes : d'ici là, même le bon \
             mot de passe est refusé.",
            "Wrong username or password. After five failed attempts wait for five minutes: until then even the right \
             password is refused.",
        ),
    }
}
