//! Proving a second factor by a code.
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    challenge,
    codes::{self, Typed},
    store,
    types::GivenCode,
};
use crate::{
    Code, Ctx, Error, Result, Text,
    audit::{Acte, Auteur, Cible, Entry},
    auth::{
        attempts::Attempt, confirm_password, ensure_may_work, sign_in::refused,
        wrong_current_password,
    },
    users::{self, Account, Password},
};

/// The account whose password gave the challenge `defi`, if `code` is one of its second factor: a session may be opened
/// ([`crate::auth::open_session`]). A wrong code counts, and locks, like a wrong password.
///
/// The code is used up, and what is counted and audited is written, at once and outside any transaction. The error is a 401: of a
/// challenge that is over, or of a code that is wrong, was used before or is not looked at after too many.
pub async fn verify(ctx: &Ctx, defi: &str, code: &GivenCode, address: IpAddr) -> Result<Account> {
    let claims = challenge::read(&ctx.keys, defi, ctx.clock.now())?;
    let account = users::find_account(&ctx.pool, claims.user_id).await?;
    let account = account
        .filter(|a| a.token_version == claims.ver && a.second_facteur.is_some())
        .ok_or_else(challenge::over)?;
    ensure_may_work(&account)?;
    let (who, acte) = ((&account, Some(claims.jti)), Acte::SecondFacteurRefuse);
    if judge(ctx, who, acte, code, address).await? { Ok(account) } else { Err(wrong_at_sign_in()) }
}

/// The account of user `id`, if `password` is its own and `code` one of its second factor: for what changes that. `Refused` if either is
/// wrong, which counts like one at sign-in; `Conflict` if there is no second factor.
pub async fn prove(
    ctx: &Ctx,
    id: i64,
    password: Password,
    code: &GivenCode,
    address: IpAddr,
) -> Result<Account> {
    let account =
        confirm_password(ctx, id, password, address).await?.ok_or_else(wrong_current_password)?;
    if account.second_facteur.is_none() {
        return Err(absent());
    }
    let (who, acte) = ((&account, None), Acte::SecondFacteurRefuse);
    if judge(ctx, who, acte, code, address).await? { Ok(account) } else { Err(wrong_code()) }
}

/// Whether `code` is good for the account, and may be looked at. It is used up then.
async fn judge(
    ctx: &Ctx,
    (account, challenge): (&Account, Option<Uuid>),
    acte: Acte,
    code: &GivenCode,
    address: IpAddr,
) -> Result<bool> {
    let (id, now) = (account.id, ctx.clock.now());
    let attempt = Attempt::begin_code(&ctx.pool, id, challenge, address, now).await?;
    let used = if attempt.judged { use_up(ctx, account, code, now).await } else { Ok(None) };
    match used {
        Ok(Some(kind)) => {
            attempt.succeeded(&ctx.pool).await?;
            if kind == Kind::Recovery {
                let adresse = Some(address.to_string());
                let auteur = Auteur { user_id: Some(id), adresse, ..Auteur::default() };
                let entry = Entry::new(Acte::CodeSecoursUtilise, &auteur).on(Cible::Compte, &id);
                entry.record(&mut *ctx.pool.acquire().await?, now).await?;
            }
            Ok(true)
        }
        Ok(None) => {
            let motif = if attempt.judged { "code" } else { "verrouille" };
            refused(ctx, acte, Some(id), address, motif).await?;
            if attempt.is_last {
                refused(ctx, Acte::Verrouillage, Some(id), address, motif).await?;
            }
            Ok(false)
        }
        Err(error) => {
            attempt.gave_up(&ctx.pool).await?;
            Err(error)
        }
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Application,
    Recovery,
}

/// Uses a code up, and tells of which kind it was; `None` if it is not good. Of concurrent calls with one code, one gets it.
async fn use_up(
    ctx: &Ctx,
    account: &Account,
    code: &GivenCode,
    now: DateTime<Utc>,
) -> Result<Option<Kind>> {
    match codes::read(code.as_str()) {
        Typed::Code(code) => {
            let Some(factor) = store::find(&ctx.pool, account.id).await? else { return Ok(None) };
            let secret = factor.open(&ctx.sealing)?;
            let totp = codes::totp(&secret, &account.email)?;
            let Some(step) = codes::step(&totp, &code, now) else { return Ok(None) };
            let is_current = ctx.sealing.is_current(&factor.sealed());
            let renewed = (!is_current).then(|| ctx.sealing.seal(account.id, &secret));
            let renewed = renewed.transpose()?;
            let used = store::use_step(&ctx.pool, account, step, renewed.as_ref()).await?;
            Ok(used.then_some(Kind::Application))
        }
        Typed::Recovery(hash) => {
            let used = store::use_recovery_code(&ctx.pool, account, &hash, now).await?;
            Ok(used.then_some(Kind::Recovery))
        }
        Typed::Nothing => Ok(None),
    }
}

/// The 401 of a code at sign-in, the same whatever was wrong with it.
fn wrong_at_sign_in() -> Error {
    Error::Unauthenticated { code: Code::CodeIncorrect, text: Text::new(WRONG.0, WRONG.1) }
}

/// The 400 of a code in a session.
pub(super) fn wrong_code() -> Error {
    Error::refused(Code::CodeIncorrect, WRONG.0, WRONG.1)
}

const WRONG: (&str, &str) = (
    "Ce code n'est pas bon, ou a déjà servi : prenez le suivant de votre application, ou un code de secours. Après cinq essais \
     manqués, attendez cinq minutes et recommencez par le mot de passe ; après dix dans l'heure, attendez l'heure suivante.",
    "This code is wrong, or was used before: take the next one of your application, or a recovery code. After five failed \
     attempts wait for five minutes and begin again with the password; after ten within an hour wait for the next hour.",
);

/// The 409 of who has no second factor.
pub(super) fn absent() -> Error {
    Error::conflict(
        Code::SecondFacteurAbsent,
        "Aucun second facteur n'est en place : activez-le d'abord.",
        "There is no second factor: enrol one first.",
    )
}
