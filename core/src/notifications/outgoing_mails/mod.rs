//! Mails: one row each, from the moment it gathers to its end.
//!
//! One mail is for what comes to a person within a while (`EMAILS_GROUP_SECONDS`): it gathers for some seconds, and the next
//! one leaves no sooner than the while after it. When its transmission begins, its id and its bytes are frozen; what comes
//! later is another mail. What the owner of an account is told of it leaves alone and at once. A mail has one job, enqueued in the transaction that opens it.
mod admin;
mod store;
mod types;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::FutureExt as _;

pub use admin::{list, resend};
pub(super) use store::forget;
pub use store::{count_in_doubt, find, forget_bodies, forget_departures, frozen, must_arrive};
pub use types::{Avis, Envoi, EnvoiFilter, EnvoiOut, Fin, Quoi, SORTABLE, StatutEnvoi};

use super::{jobs::SendMail, notified};
use crate::{
    Noun, Result, Tx,
    jobs::{enqueue, enqueue_in},
    mailer::Frozen,
    preferences,
};

impl Noun {
    pub const ENVOI: Self =
        Self::new("envoi_introuvable", "Courriel introuvable.", "Mail not found.");
}

/// How long a mail gathers before it leaves: assignments made one after the other are one mail, and nobody waits.
const GATHER: TimeDelta = TimeDelta::seconds(5);

/// Adds a notification to the next mail of its reader, when `tx` commits.
pub(super) fn at_commit(tx: &mut Tx<'_>, user_id: i64, notification_id: i64, now: DateTime<Utc>) {
    tx.mail(user_id, notification_id, now, |tx, user_id, notifications, window, now| {
        async move { admit(tx, user_id, &notifications, window, now).await }.boxed()
    });
}

/// Adds notifications to the mail that gathers for their reader, or opens one. With a `window` of zero each is a mail of its
/// own, at once.
///
/// The mail is locked until `tx` ends: whoever freezes it waits, and sees what is added.
async fn admit(
    tx: &mut Tx<'_>,
    user_id: i64,
    notifications: &[i64],
    window: TimeDelta,
    now: DateTime<Utc>,
) -> Result<()> {
    if window == TimeDelta::zero() {
        for &notification in notifications {
            let envoi_id = store::open_closed(tx, user_id, now).await?;
            store::add(tx, envoi_id, &[notification]).await?;
            enqueue_in(tx, &SendMail::new(envoi_id), std::time::Duration::ZERO).await?;
        }
        return Ok(());
    }
    let (envoi_id, is_new) = store::open(tx, user_id, now).await?;
    store::add(tx, envoi_id, notifications).await?;
    if !is_new {
        return Ok(());
    }
    let last = store::last_departure(tx, user_id).await?;
    let gathered = (now + GATHER.min(window)).max(last.map_or(now, |last| last + window));
    let wants = preferences::find(&mut **tx, user_id).await?;
    let part_le = wants.quiet_until(gathered).unwrap_or(gathered);
    store::set_departure(tx, envoi_id, part_le).await?;
    let delay = (part_le - now).to_std().unwrap_or_default();
    enqueue_in(tx, &SendMail::new(envoi_id), delay).await
}

/// Adds a notification that has no mail yet to one; for the jobs of the release before, each of which is about one.
pub async fn adopt(tx: &mut Tx<'_>, notification_id: i64, now: DateTime<Utc>) -> Result<()> {
    if let Some(user_id) = store::reader_without_mail(tx, notification_id).await? {
        at_commit(tx, user_id, notification_id, now);
    }
    Ok(())
}

/// Takes a notification out of its mail, which will not be sent any more.
pub(crate) async fn leave(tx: &mut Tx<'_>, notification_id: i64) -> Result<()> {
    store::leave(tx, notification_id).await
}

/// Gives a mail another job, one a day at the most.
pub(crate) async fn enqueue_again(
    tx: &mut Tx<'_>,
    envoi_id: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    enqueue(tx, &SendMail::again(envoi_id, format!("rapprochement-{}", now.date_naive()))).await
}

/// Opens the digest of a day for a person, to leave after `delay`; `false`: that person has it already, or had it.
pub async fn open_digest(
    tx: &mut Tx<'_>,
    user_id: i64,
    jour: NaiveDate,
    delay: std::time::Duration,
    now: DateTime<Utc>,
) -> Result<bool> {
    if !notified::claim(&mut **tx, &format!("digest:{jour}"), user_id, now).await? {
        return Ok(false);
    }
    let envoi_id = store::open_digest(tx, user_id, jour, now).await?;
    enqueue_in(tx, &SendMail::new(envoi_id), delay).await?;
    Ok(true)
}

/// Tells the owner of an account something of it: alone, at once, at night too.
pub async fn open_avis(
    tx: &mut Tx<'_>,
    user_id: i64,
    avis: &Avis,
    now: DateTime<Utc>,
) -> Result<()> {
    let envoi_id = store::open_avis(tx, user_id, avis, now).await?;
    enqueue_in(tx, &SendMail::new(envoi_id), std::time::Duration::ZERO).await
}

/// Closes a mail, so that nothing more is added, and locks it; gives the notifications in it that wait to be sent, by id.
pub async fn close(tx: &mut Tx<'_>, envoi_id: i64, now: DateTime<Utc>) -> Result<Vec<i64>> {
    store::close(tx, envoi_id, now).await?;
    store::waiting(tx, envoi_id).await
}

/// Claims a mail for one transmission: from the commit on, and until [`record`], its end is in doubt. The first time its
/// recipient, id and bytes are frozen as given; `frozen` must be those from then on. `by`: the job of this attempt, and since
/// when it is held.
///
/// False when another attempt was quicker since `envoi` was read: nothing was changed.
pub async fn claim(
    tx: &mut Tx<'_>,
    envoi: &Envoi,
    frozen: &Frozen,
    by: Option<(&str, DateTime<Utc>)>,
    now: DateTime<Utc>,
) -> Result<bool> {
    store::claim(tx, envoi, frozen, by, now).await
}

/// Records how a transmission ended, or that a mail will not be sent; its notifications follow. What is over stays as it is.
pub async fn record(tx: &mut Tx<'_>, envoi_id: i64, fin: &Fin, now: DateTime<Utc>) -> Result<()> {
    // The notifications first: whoever holds one of them may want to add another to the mail of its reader.
    store::record_notifications(tx, envoi_id, fin, now).await?;
    store::record(tx, envoi_id, fin, now).await
}

/// Its job will not be done: what was never begun has failed, and of what was begun the end stays in doubt.
pub(super) async fn abandon(
    tx: &mut Tx<'_>,
    envoi_id: i64,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let reason = reason.to_owned();
    let fin = if store::is_in_doubt(tx, envoi_id).await? {
        Fin::Incertaine(reason)
    } else {
        Fin::Echouee(reason)
    };
    record(tx, envoi_id, &fin, now).await?;
    // What joined while this was decided is for the next mail.
    for id in store::waiting(tx, envoi_id).await? {
        store::leave(tx, id).await?;
        adopt(tx, id, now).await?;
    }
    Ok(())
}

/// Takes back [`abandon`]: the mail waits again, as it was frozen if it was.
pub(super) async fn revive(tx: &mut Tx<'_>, envoi_id: i64) -> Result<()> {
    store::revive(tx, envoi_id).await.map(drop)
}
