//! What people are told, in the application and by e-mail. A mail is a job, enqueued with its notification.
pub mod envois;
pub mod jobs;
mod routage;
mod store;
pub(crate) mod told;
mod types;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

pub use routage::{Annonce, Cercle, Evenement, TABLE, announce};
pub use store::{Facts, counts, facts, find, list, record_delivery};
pub use types::{
    CanalNotification, CountsOut, Delivery, NewNotification, NotificationFilter, NotificationOut,
    OwnFilter, SORTABLE, StatutNotification, TypeNotification,
};

use crate::{Error, Noun, Result, Tx, error::OnConstraint as _, jobs::enqueue};

/// Records a notification. With `email` its mail goes out by a job, unless its reader does not want such mails; in the
/// journal it is there at once.
pub async fn create(
    tx: &mut Tx<'_>,
    new: &NewNotification,
    now: DateTime<Utc>,
) -> Result<NotificationOut> {
    let notification = store::insert(tx, new, now)
        .await
        .on_constraint("notifications_user_id_fkey", || Error::NotFound(Noun::User))
        .on_constraint("notifications_intervention_id_fkey", || {
            Error::NotFound(Noun::Intervention)
        })?;
    if notification.canal == CanalNotification::Email {
        enqueue(tx, &jobs::SendEmail { notification_id: notification.id }).await?;
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
pub async fn settle(
    tx: &mut Tx<'_>,
    intervention_id: i64,
    types: &[TypeNotification],
    now: DateTime<Utc>,
) -> Result<()> {
    store::settle(tx, intervention_id, types, now).await
}

/// Forgets which mails gathered what and who was told of what, if it was before `before`, in small batches; how much.
pub async fn forget(pool: &PgPool, before: DateTime<Utc>) -> Result<u64> {
    const BATCH: i64 = 1000;
    let mut gone = 0;
    loop {
        let envois = envois::forget(pool, before, BATCH).await?;
        let told = told::forget(pool, before, BATCH).await?;
        gone += envois + told;
        if envois.max(told) < BATCH.unsigned_abs() {
            return Ok(gone);
        }
    }
}
