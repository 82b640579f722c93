//! Names and passwords.
//!
//! A wrong password, an account that does not exist and one that is locked get the same response, in code, text and time:
//! somebody who guesses learns nothing, not even that one of the guesses that were not checked was right.
use std::net::IpAddr;

use serde_json::json;

use super::{attempts::Attempt, ensure_may_work};
use crate::{
    Code, Ctx, Error, Result, Text,
    audit::{Acte, Auteur, Cible, Entry},
    users::{self, Account, Password, Verified},
};

/// Checks a name (or e-mail address) and password that come from `address`. Its counts and audit entries are written at once,
/// outside any transaction: they stay, whether the request succeeds or not.
pub async fn authenticate(
    ctx: &Ctx,
    login: &str,
    password: Password,
    address: IpAddr,
) -> Result<Account> {
    let account = users::find_by_login(&ctx.pool, login).await?;
    let who = Who { login, account, acte: Acte::ConnexionRefusee, address };
    let account = judge(ctx, who, password).await?.ok_or_else(wrong_credentials)?;
    if let Err(error) = ensure_may_work(&account) {
        let motif = if account.is_active { "client_inactif" } else { "compte_desactive" };
        refused(ctx, Acte::ConnexionRefusee, Some(account.id), address, motif).await?;
        return Err(error);
    }
    Ok(account)
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
    judge(ctx, who, password).await
}

/// A claim to know the password of an account.
struct Who<'a> {
    login: &'a str,
    account: Option<Account>,
    /// What is recorded when the password is refused.
    acte: Acte,
    address: IpAddr,
}

/// The account, if `password` is its own and may be looked at.
async fn judge(ctx: &Ctx, who: Who<'_>, password: Password) -> Result<Option<Account>> {
    let Who { login, account, acte, address } = who;
    let id = account.as_ref().map(|account| account.id);
    let attempt = Attempt::begin(&ctx.pool, login, id, address, ctx.clock.now()).await?;
    tokio::time::sleep(attempt.wait).await;
    let stored = account.as_ref().filter(|_| attempt.judged).map(|a| a.password_hash.clone());
    let others = users::other_hashes(&ctx.pool).await?;
    match users::verify_password(password, stored, others).await {
        Ok(Verified::Right { renewed }) => {
            attempt.succeeded(&ctx.pool).await?;
            if let (Some(account), Some(hash)) = (&account, renewed) {
                users::renew_hash(&ctx.pool, account, &hash).await?;
            }
            Ok(account)
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
async fn refused(
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
