//! Changing a password and disabling an account: both end all access that the account gave.
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    Code, Error, Result, Tx,
    auth::{self, Motif},
    calendrier,
    notifications::outgoing_mails::{self, Avis, Quoi},
    users::{self, Account, PasswordHash},
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
    users::set_password(tx, account.id, hash, now).await?;
    let adresse = Some(address.to_canonical().to_string());
    let avis = Avis { quoi: Quoi::MotDePasse, quand: now, adresse, appareil: None };
    outgoing_mails::open_avis(tx, account.id, &avis, now).await?;
    end_access(tx, account.id, Motif::MotDePasse, now).await
}

/// Disables the account `id`, ends its sessions and the addresses of its calendars. `Conflict` if `by` (an admin) is `id`.
pub async fn disable(tx: &mut Tx<'_>, id: i64, by: i64, now: DateTime<Utc>) -> Result<()> {
    if id == by {
        return Err(Error::conflict(
            Code::DesactivationDeSoi,
            "Vous ne pouvez pas désactiver votre propre compte : demandez-le à un autre administrateur.",
            "You cannot disable your own account: ask another administrator.",
        ));
    }
    users::set_active(tx, id, false, now).await?;
    end_access(tx, id, Motif::Desactivation, now).await
}

async fn end_access(tx: &mut Tx<'_>, id: i64, motif: Motif, now: DateTime<Utc>) -> Result<()> {
    auth::end_sessions(tx, id, None, motif, now).await?;
    calendrier::revoke(tx, id).await
}
