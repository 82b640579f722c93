//! Names and passwords.
//!
//! A wrong password, an account that does not exist and one that is locked are answered alike, in code, text and time: who
//! guesses learns nothing, not even that the right password was among the guesses that were not looked at.
use std::net::IpAddr;

use super::{attempts::Attempt, ensure_may_work};
use crate::{
    Ctx, Error, Result, Text,
    users::{self, Account, Password, Verified},
};

/// Checks a name (or e-mail address) and password coming from `address`. What is counted of it is counted at once, outside any
/// transaction: it is true whatever becomes of the request.
pub async fn authenticate(
    ctx: &Ctx,
    login: &str,
    password: Password,
    address: IpAddr,
) -> Result<Account> {
    let account = users::find_by_login(&ctx.pool, login).await?;
    match judge(ctx, login, account, password, address).await? {
        Some(account) => {
            ensure_may_work(&account)?;
            Ok(account)
        }
        None => Err(wrong_credentials()),
    }
}

/// The account of user `id`, if `password` is its own. A wrong one counts like one of a sign-in, and locks like it.
pub async fn confirm_password(
    ctx: &Ctx,
    id: i64,
    password: Password,
    address: IpAddr,
) -> Result<Option<Account>> {
    let account = users::find_account(&ctx.pool, id).await?;
    judge(ctx, &format!("id:{id}"), account, password, address).await
}

/// `account`, if `password` is its own and may be looked at.
async fn judge(
    ctx: &Ctx,
    login: &str,
    account: Option<Account>,
    password: Password,
    address: IpAddr,
) -> Result<Option<Account>> {
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
        Ok(Verified::Wrong) => Ok(None),
        Err(error) => {
            attempt.gave_up(&ctx.pool).await?;
            Err(error)
        }
    }
}

/// The 401 of a sign-in, whatever was wrong.
pub(super) fn wrong_credentials() -> Error {
    Error::Unauthenticated {
        code: "identifiants_incorrects",
        text: Text::new(
            "Identifiant ou mot de passe incorrect. Après cinq essais manqués, attendez cinq minutes : d'ici là, même le bon \
             mot de passe est refusé.",
            "Wrong username or password. After five failed attempts wait for five minutes: until then even the right \
             password is refused.",
        ),
    }
}
