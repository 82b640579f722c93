//! Notifications to users, in the application and by e-mail. A mail has a job, enqueued in the transaction of the notification.
pub mod jobs;
pub(crate) mod notified;
pub mod outgoing_mails;
mod routing;
mod store;
mod types;

use chrono::{DateTime, Utc};
pub use routing::{Announcement, Circle, Event, TABLE, announce};
pub use store::{counts, find, list};
pub use types::{
    CanalNotification, CountsOut, NewNotification, NotificationFields, NotificationFilter,
    NotificationOut, OwnFilter, SORTABLE, StatutNotification, TypeNotification,
};

use crate::{Code, Error, Noun, Result, Tx, error::OnConstraint as _};

impl Noun {
    pub const NOTIFICATION: Self = Self::new(
        Code::NotificationIntrouvable,
        "Notification introuvable.",
        "Notification not found.",
    );
}

/// Records a notification. With the channel `email` it joins the next mail of its reader when `tx` commits, unless the reader
/// refuses such mails; with `log` it counts as sent at once.
pub async fn create(
    tx: &mut Tx<'_>,
    new: &NotificationFields,
    now: DateTime<Utc>,
) -> Result<NotificationOut> {
    let notification = store::insert(tx, new, now)
        .await
        .on_constraint("notifications_user_id_fkey", || Error::NotFound(Noun::USER))
        .on_constraint("notifications_intervention_id_fkey", || {
            Error::NotFound(Noun::INTERVENTION)
        })?;
    if notification.canal == CanalNotification::Email {
        outgoing_mails::at_commit(tx, new.user_id, notification.id, now);
    }
    Ok(notification)
}

/// Marks a notification as read by its owner; for any other user it is `NotFound`.
pub async fn mark_read(tx: &mut Tx<'_>, id: i64, owner: i64) -> Result<()> {
    store::mark_read(tx, id, owner).await
}

/// Removes a notification, also from a mail that is still waiting.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::delete(tx, id).await
}

/// Withdraws the notifications of these types about an intervention, whose cause is gone: those that the system made count as
/// read, and those whose mail has not been sent are not mailed any more.
pub async fn withdraw_alerts(
    tx: &mut Tx<'_>,
    intervention_id: i64,
    types: &[TypeNotification],
    now: DateTime<Utc>,
) -> Result<()> {
    store::withdraw_alerts(tx, intervention_id, types, now).await
}

/// Deletes the ended mails, and the records of who was told of what, from before `before`, at most `limit` of each. Returns
/// the greater of the two counts: below `limit` there is nothing left.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    let mails = outgoing_mails::forget(tx, before, limit).await?;
    let most = mails.max(notified::forget(tx, before, limit).await?);
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}
