//! What people are told, in the application and by e-mail. A mail is a job, enqueued with its notification.
pub mod jobs;
pub(crate) mod notified;
pub mod outgoing_mails;
mod routing;
mod store;
mod types;

use chrono::{DateTime, Utc};
pub use routing::{Annonce, Cercle, Evenement, TABLE, announce};
pub use store::{counts, find, list};
pub use types::{
    CanalNotification, CountsOut, NewNotification, NotificationFields, NotificationFilter,
    NotificationOut, OwnFilter, SORTABLE, StatutNotification, TypeNotification,
};

use crate::{Error, Noun, Result, Tx, error::OnConstraint as _};

impl Noun {
    pub const NOTIFICATION: Self = Self::new(
        "notification_introuvable",
        "Notification introuvable.",
        "Notification not found.",
    );
}

/// Records a notification. With `email` it joins the next mail of its reader when `tx` commits, unless its reader does not want such mails; in the
/// journal it is there at once.
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

/// Marks a notification as read by its owner; to anyone else it does not exist.
pub async fn mark_read(tx: &mut Tx<'_>, id: i64, owner: i64) -> Result<()> {
    store::mark_read(tx, id, owner).await
}

/// Removes a notification. A mail of it that is still waiting will not be sent.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::delete(tx, id).await
}

/// Alerts of these types about an intervention have lost their cause: what the system told counts as read, and mails
/// that have not left yet do not leave.
pub async fn withdraw_alerts(
    tx: &mut Tx<'_>,
    intervention_id: i64,
    types: &[TypeNotification],
    now: DateTime<Utc>,
) -> Result<()> {
    store::withdraw_alerts(tx, intervention_id, types, now).await
}

/// Forgets which mails gathered what and who was told of what, if it was before `before`, at most `limit` of each. Gives
/// the greater of the two counts: below `limit` there is nothing left.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    let mails = outgoing_mails::forget(tx, before, limit).await?;
    let most = mails.max(notified::forget(tx, before, limit).await?);
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}
