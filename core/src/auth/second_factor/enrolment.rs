//! Getting, changing and losing a second factor.
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::{
    codes::{self, Typed},
    proof::{absent, wrong_code},
    store,
    types::{Enrolment, GivenCode, RecoveryCodes, SecondFactorState},
};
use crate::{
    Code, Error, Noun, Result, Tx,
    audit::{Acte, Auteur, Cible, Entry},
    auth::{Motif, end_sessions, hold_session, session_ended},
    config::AuthConfig,
    keys::Sealing,
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
    users::{self, Account},
};

/// How long a secret that was shown waits for its first code.
const PATIENCE: TimeDelta = TimeDelta::hours(1);

/// Who changes their own second factor: a caller, and how the audit records them.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    pub id: i64,
    pub session: Uuid,
    pub auteur: &'a Auteur,
}

/// The second factor of user `id`.
pub async fn state(
    pool: &PgPool,
    config: &AuthConfig,
    id: i64,
    now: DateTime<Utc>,
) -> Result<SecondFactorState> {
    let account = users::find_account(pool, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    Ok(SecondFactorState {
        actif_depuis: account.second_facteur,
        exige: config.requires_second_factor(account.role.as_str()),
        codes_restants: store::count_recovery_codes(pool, id).await?,
        appareils: store::list_devices(pool, &account, now).await?,
    })
}

/// Draws the secret of a second factor, which [`confirm`] puts to use; one that was drawn before and not confirmed is replaced.
/// `account` is as read when its password was confirmed. `Conflict` if there is a second factor already.
pub async fn enrol(
    tx: &mut Tx<'_>,
    sealing: &Sealing,
    account: &Account,
    owner: Owner<'_>,
    now: DateTime<Utc>,
) -> Result<Enrolment> {
    let held = held(tx, account, owner, now).await?;
    if held.second_facteur.is_some() {
        return Err(active());
    }
    let secret = codes::draw_secret();
    store::insert(tx, held.id, &sealing.seal(held.id, &secret)?, now).await?;
    let totp = codes::totp(&secret, &held.email)?;
    // The error would hold the address.
    let uri = totp.to_url().map_err(|_| anyhow::anyhow!("a second factor has no address"))?;
    let (secret, qr) = (totp.secret().to_base32(), codes::picture(&uri)?);
    Ok(Enrolment { secret, uri, qr })
}

/// Puts the secret that [`enrol`] drew within the last hour to use, and mails its owner: from now on a code is asked for at sign-in.
/// Returns the recovery codes. `Refused` if `code` is not one of that secret; `Conflict` if none waits, or one is in use already.
///
/// `code` is used up. What was closed to who must enrol is open once the caller has committed.
pub async fn confirm(
    tx: &mut Tx<'_>,
    sealing: &Sealing,
    code: &GivenCode,
    owner: Owner<'_>,
    now: DateTime<Utc>,
) -> Result<RecoveryCodes> {
    let account = hold_session(tx, owner.id, owner.session, now).await?;
    if account.second_facteur.is_some() {
        return Err(active());
    }
    let waiting = store::find(&mut **tx, owner.id).await?;
    let waiting = waiting.filter(|factor| factor.cree_le + PATIENCE > now).ok_or_else(absent)?;
    let Typed::Code(code) = codes::read(code.as_str()) else { return Err(wrong_code()) };
    let totp = codes::totp(&waiting.open(sealing)?, &account.email)?;
    let step = codes::step(&totp, &code, now).ok_or_else(wrong_code)?;
    store::confirm(tx, owner.id, step, now).await?;
    // No replica may go on to take the caller for one who must enrol.
    tx.end_access();
    let codes = new_codes(tx, owner.id).await?;
    record(tx, Acte::SecondFacteurActive, owner.id, owner.auteur, now).await?;
    notify(tx, owner.id, AccountEvent::SecondFacteurActive, owner.auteur, None, now).await?;
    Ok(codes)
}

/// Replaces all recovery codes of the owner, who has just proved both factors: `account` is as [`super::prove`] returned it.
pub async fn renew_codes(
    tx: &mut Tx<'_>,
    account: &Account,
    owner: Owner<'_>,
    now: DateTime<Utc>,
) -> Result<RecoveryCodes> {
    held(tx, account, owner, now).await?;
    let codes = new_codes(tx, owner.id).await?;
    record(tx, Acte::CodesSecoursRenouveles, owner.id, owner.auteur, now).await?;
    Ok(codes)
}

/// Removes the second factor of the owner, with its recovery codes and trusted devices, and mails them; `account` as for
/// [`renew_codes`]. `Conflict` if their role requires one (`ensure_removable`).
pub async fn remove(
    tx: &mut Tx<'_>,
    config: &AuthConfig,
    account: &Account,
    owner: Owner<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let held = held(tx, account, owner, now).await?;
    ensure_removable(config, &held)?;
    store::delete(tx, owner.id).await?;
    record(tx, Acte::SecondFacteurRetire, owner.id, owner.auteur, now).await?;
    notify(tx, owner.id, AccountEvent::SecondFacteurRetire, owner.auteur, None, now).await
}

/// Refuses to remove the second factor of who must have one.
fn ensure_removable(config: &AuthConfig, account: &Account) -> Result<()> {
    if !config.requires_second_factor(account.role.as_str()) {
        return Ok(());
    }
    Err(Error::conflict(
        Code::SecondFacteurExige,
        "Votre rôle demande un second facteur. Un nouveau téléphone ? Un administrateur réinitialise l'ancien.",
        "Your role requires a second factor. A new phone? An administrator resets the old one.",
    ))
}

/// Removes the second factor of user `id` for an admin, with its recovery codes and trusted devices, ends their sessions, and mails
/// them. `Conflict` if there is none, or if it is the admin's own: that wants its own proof.
pub async fn reset(tx: &mut Tx<'_>, id: i64, auteur: &Auteur, now: DateTime<Utc>) -> Result<()> {
    if auteur.user_id == Some(id) {
        return Err(Error::conflict(
            Code::SecondFacteurDeSoi,
            "Vous ne pouvez pas réinitialiser votre propre second facteur : retirez-le avec un code, ou demandez-le à un autre \
             administrateur.",
            "You cannot reset your own second factor: remove it with a code, or ask another administrator.",
        ));
    }
    users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    if !store::delete(tx, id).await? {
        return Err(absent());
    }
    end_sessions(tx, id, None, Motif::Administrateur, now).await?;
    record(tx, Acte::SecondFacteurReinitialise, id, auteur, now).await?;
    let by = match auteur.user_id {
        Some(admin) => Some(users::find(&mut **tx, admin).await?.full_name),
        None => None,
    };
    notify(tx, id, AccountEvent::SecondFacteurRetire, auteur, by, now).await
}

/// The account, held, if neither its session nor its password and second factor have changed since `account` was read.
async fn held(
    tx: &mut Tx<'_>,
    account: &Account,
    owner: Owner<'_>,
    now: DateTime<Utc>,
) -> Result<Account> {
    let held = hold_session(tx, owner.id, owner.session, now).await?;
    let of = |account: &Account| (account.id, account.token_version, account.second_facteur);
    if of(&held) == of(account) { Ok(held) } else { Err(session_ended()) }
}

async fn new_codes(tx: &mut Tx<'_>, id: i64) -> Result<RecoveryCodes> {
    let codes = codes::draw_recovery_codes();
    let hash = |code: &String| match codes::read(code) {
        Typed::Recovery(hash) => Some(hash),
        Typed::Code(_) | Typed::Nothing => None,
    };
    let hashes: Vec<Vec<u8>> = codes.codes_secours.iter().filter_map(hash).collect();
    store::replace_recovery_codes(tx, id, &hashes).await?;
    Ok(codes)
}

async fn record(
    tx: &mut Tx<'_>,
    acte: Acte,
    id: i64,
    auteur: &Auteur,
    now: DateTime<Utc>,
) -> Result<()> {
    Entry::new(acte, auteur).on(Cible::Compte, &id).record(tx, now).await
}

/// Mails the owner of account `id` what happened to its second factor, and who did it, if somebody else.
async fn notify(
    tx: &mut Tx<'_>,
    id: i64,
    quoi: AccountEvent,
    auteur: &Auteur,
    by: Option<String>,
    now: DateTime<Utc>,
) -> Result<()> {
    // The address of who did it for them is none of theirs.
    let adresse = auteur.adresse.clone().filter(|_| by.is_none());
    let avis = AccountNotice { adresse, auteur: by, ..AccountNotice::new(quoi, now) };
    outgoing_mails::open_account_notice(tx, id, &avis, now).await
}

/// The 409 of who has a second factor already.
fn active() -> Error {
    Error::conflict(
        Code::SecondFacteurActif,
        "Un second facteur est déjà en place : retirez-le d'abord.",
        "There is a second factor already: remove it first.",
    )
}
