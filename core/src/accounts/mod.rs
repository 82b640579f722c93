//! Changing a password, or a forgotten one, disabling an account, and taking its person out of the system: all end the access that
//! the account gave. And who may come to an account without a password: who is invited, and who signs in at the provider of the company.
mod edit;
pub mod identites;
pub mod invitations;
pub mod links;
mod pseudonym_store;
pub mod pseudonyms;
mod store;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use edit::{Edited, UserPatch, edit};
pub use pseudonyms::pseudonymise;

use crate::{
    Code, Error, Noun, Result, Tx,
    auth::{self, Motif},
    calendrier,
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
    personal_data, rapports,
    users::{self, Account, PasswordHash, UserOut, UserRole},
};

/// Gives `account` a new password, ends all its sessions and the addresses of its calendars (the access that the old password
/// gave), and sends its owner a mail that names the `address` of the request.
///
/// `account` is as read when its present password was confirmed, and `session` the session of the request. If either has
/// changed since, nothing is changed and the error is a 401 (a 403 if the account may no longer be used).
pub async fn change_password(
    tx: &mut Tx<'_>,
    account: &Account,
    session: Uuid,
    hash: &PasswordHash,
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<()> {
    let held = auth::hold_session(tx, account.id, session, now).await?;
    if held.token_version != account.token_version {
        return Err(auth::session_ended());
    }
    replace_password(tx, account.id, hash, address, now).await
}

/// Stores a new password, ends the access that the old one gave, and mails the owner that it changed.
async fn replace_password(
    tx: &mut Tx<'_>,
    id: i64,
    hash: &PasswordHash,
    address: IpAddr,
    now: DateTime<Utc>,
) -> Result<()> {
    users::set_password(tx, id, hash, now).await?;
    invitations::forget(tx, id).await?;
    let adresse = Some(address.to_canonical().to_string());
    let avis = AccountNotice { adresse, ..AccountNotice::new(AccountEvent::MotDePasse, now) };
    outgoing_mails::open_account_notice(tx, id, &avis, now).await?;
    end_access(tx, id, Motif::MotDePasse, now).await
}

/// Disables the account `id`, ends its sessions and the addresses of its calendars. `Conflict` if `by` (an admin) is `id`, or if
/// no active admin would be left.
pub async fn disable(tx: &mut Tx<'_>, id: i64, by: i64, now: DateTime<Utc>) -> Result<()> {
    store::take_turn(tx).await?;
    let account = users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    let is_working_admin = account.role == UserRole::Admin && account.is_active;
    ensure_spared(tx, id, by, true, is_working_admin).await?;
    users::set_active(tx, id, false, now).await?;
    end_access(tx, id, Motif::Desactivation, now).await
}

/// Ends all sessions of the account `id`, the links that were mailed to it, its trusted devices and its API keys.
pub async fn end_sessions(
    tx: &mut Tx<'_>,
    id: i64,
    motif: Motif,
    now: DateTime<Utc>,
) -> Result<()> {
    auth::end_sessions(tx, id, None, motif, now).await?;
    auth::second_factor::devices::forget_all(tx, id).await?;
    auth::api_keys::revoke_all(tx, id).await?;
    invitations::set_end(tx, id, now).await?;
    store::end_all(tx, id, now).await
}

/// `Conflict` if a change by `by` `disables` their own account, or if it `removes_an_admin` and no other is active. The caller has
/// its turn ([`store::take_turn`]).
async fn ensure_spared(
    tx: &mut Tx<'_>,
    id: i64,
    by: i64,
    disables: bool,
    removes_an_admin: bool,
) -> Result<()> {
    if disables && id == by {
        return Err(Error::conflict(
            Code::DesactivationDeSoi,
            "Vous ne pouvez pas désactiver votre propre compte : demandez-le à un autre administrateur.",
            "You cannot disable your own account: ask another administrator.",
        ));
    }
    if removes_an_admin { store::keep_an_admin(tx, id).await } else { Ok(()) }
}

/// Enables the account `id` again. `Conflict` if its person was taken out of the system.
pub async fn activate(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<UserOut> {
    users::hold(tx, id).await?.ok_or(Error::NotFound(Noun::USER))?;
    pseudonyms::ensure_named(tx, id).await?;
    users::activate(tx, id, now).await
}

/// Ends the sessions of the account `id`, the addresses of its calendars and of its reports; unless it has but a new password, its
/// reports; and, if it is disabled, its invitation and the file of its owner's data.
async fn end_access(tx: &mut Tx<'_>, id: i64, motif: Motif, now: DateTime<Utc>) -> Result<()> {
    if motif == Motif::Desactivation {
        invitations::forget(tx, id).await?;
        personal_data::remove(tx, id).await?;
    }
    // With another role or client, what was made with the rights of before is not theirs any more.
    if motif != Motif::MotDePasse {
        rapports::remove_all(tx, id).await?;
    }
    rapports::liens::revoke_all(tx, id).await?;
    auth::end_sessions(tx, id, None, motif, now).await?;
    calendrier::revoke(tx, id).await
}
