//! Mails: one row each, from its first notification to its outcome.
//!
//! The notifications for one user within a window (`EMAILS_GROUP_SECONDS`) share one mail: it collects them for some seconds,
//! and the next mail leaves no sooner than one window after it. When the transmission of a mail begins, its id and its bytes
//! are frozen; later notifications go into another mail. A mail about the account of its reader leaves alone and at once. A mail
//! has one job, enqueued in the transaction that opens it.
mod about;
mod admin;
mod store;
mod types;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures_util::FutureExt as _;

pub use about::{of_intervention, of_planning, subjects};
pub use admin::{Looked, list, list_of, look, resend};
pub(super) use store::forget;
pub use store::{count_in_doubt, find, forget_bodies, forget_departures, frozen, must_arrive};
pub use types::{
    AccountEvent, AccountNotice, Ending, Envoi, EnvoiFilter, EnvoiOut, SORTABLE, StatutEnvoi,
};

use super::{
    jobs::{SendAccountMail, SendMail},
    notified,
};
use crate::{
    Code, Noun, Result, Tx,
    jobs::{enqueue, enqueue_in},
    mailer::Frozen,
    preferences,
};

impl Noun {
    pub const ENVOI: Self =
        Self::new(Code::EnvoiIntrouvable, "Courriel introuvable.", "Mail not found.");
}

/// How long a mail gathers before it leaves: assignments made one after the other are one mail, and nobody waits.
const GATHER: TimeDelta = TimeDelta::seconds(5);

/// Adds a notification to the next mail of its reader, when `tx` commits.
pub(super) fn at_commit(tx: &mut Tx<'_>, user_id: i64, notification_id: i64, now: DateTime<Utc>) {
    tx.mail(user_id, notification_id, now, |tx, user_id, notifications, window, now| {
        async move { admit(tx, user_id, &notifications, window, now).await }.boxed()
    });
}

/// Adds notifications to the open mail of their reader, or opens one. With a `window` of zero each notification has a mail of
/// its own, which leaves at once.
///
/// The row of the mail is locked until `tx` ends: the job that freezes it waits, and sees the added notifications.
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

/// Adds a notification that is in no mail to the next mail of its reader, when `tx` commits. For repairs, and for the jobs of
/// the previous release, each of which is about one notification.
pub async fn adopt(tx: &mut Tx<'_>, notification_id: i64, now: DateTime<Utc>) -> Result<()> {
    if let Some(user_id) = store::reader_without_mail(tx, notification_id).await? {
        at_commit(tx, user_id, notification_id, now);
    }
    Ok(())
}

/// Removes a notification from its mail, which will not be sent any more.
pub(crate) async fn leave(tx: &mut Tx<'_>, notification_id: i64) -> Result<()> {
    store::leave(tx, notification_id).await
}

/// Enqueues another job for a mail, at most one a day.
pub(crate) async fn enqueue_again(
    tx: &mut Tx<'_>,
    envoi_id: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let renvoi = format!("rapprochement-{}", now.date_naive());
    match store::find_for_update(tx, envoi_id).await? {
        Some((_, of_account)) => send_again(tx, envoi_id, of_account, renvoi).await,
        None => Ok(()),
    }
}

/// Enqueues one more job for a mail, in the queue of its kind. Jobs with the same `renvoi` are one.
async fn send_again(
    tx: &mut Tx<'_>,
    envoi_id: i64,
    of_account: bool,
    renvoi: String,
) -> Result<()> {
    if of_account {
        enqueue(tx, &SendAccountMail::again(envoi_id, renvoi)).await
    } else {
        enqueue(tx, &SendMail::again(envoi_id, renvoi)).await
    }
}

/// Opens the digest of `jour` for a user, to leave after `delay`. Returns false if it was opened before.
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

/// Opens a mail to the owner of an account about that account: it leaves alone, at once, and in quiet hours, too.
pub async fn open_account_notice(
    tx: &mut Tx<'_>,
    user_id: i64,
    avis: &AccountNotice,
    now: DateTime<Utc>,
) -> Result<()> {
    let envoi_id = store::open_account_notice(tx, user_id, avis, now).await?;
    enqueue(tx, &SendAccountMail::new(envoi_id)).await
}

/// Closes a mail, so that nothing more is added, and locks it; returns its notifications that wait to be sent, by id.
pub async fn close(tx: &mut Tx<'_>, envoi_id: i64, now: DateTime<Utc>) -> Result<Vec<i64>> {
    store::close(tx, envoi_id, now).await?;
    store::waiting(tx, envoi_id).await
}

/// Claims a mail for one transmission: from the commit on, and until [`record`], its outcome is in doubt. The first claim
/// freezes the recipient, the id and the bytes in `frozen`; later claims must pass the same. `by`: the job of this attempt,
/// and since when the attempt holds it.
///
/// Returns false, and changes nothing, if another attempt has claimed the mail since `envoi` was read.
pub async fn claim(
    tx: &mut Tx<'_>,
    envoi: &Envoi,
    frozen: &Frozen,
    by: Option<(&str, DateTime<Utc>)>,
    now: DateTime<Utc>,
) -> Result<bool> {
    store::claim(tx, envoi, frozen, by, now).await
}

/// Records how a transmission ended, or that a mail will not be sent, for the mail and its notifications. A mail that has
/// ended already is not changed.
pub async fn record(
    tx: &mut Tx<'_>,
    envoi_id: i64,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<()> {
    // The notifications first: a transaction that has locked one of them may then lock the mail, to add another to it.
    store::record_notifications(tx, envoi_id, ending, now).await?;
    store::record(tx, envoi_id, ending, now).await
}

/// Ends a mail whose job was given up: it has failed, unless a transmission has no recorded answer; then it stays in doubt.
pub(super) async fn abandon(
    tx: &mut Tx<'_>,
    envoi_id: i64,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let reason = reason.to_owned();
    let ending = if store::is_in_doubt(tx, envoi_id).await? {
        Ending::Incertaine(reason)
    } else {
        Ending::Echouee(reason)
    };
    record(tx, envoi_id, &ending, now).await?;
    // Notifications that have joined meanwhile go into the next mail.
    for id in store::waiting(tx, envoi_id).await? {
        store::leave(tx, id).await?;
        adopt(tx, id, now).await?;
    }
    Ok(())
}

/// Undoes [`abandon`]: the mail waits again; a frozen one keeps its bytes.
pub(super) async fn revive(tx: &mut Tx<'_>, envoi_id: i64) -> Result<()> {
    store::revive(tx, envoi_id).await.map(drop)
}
