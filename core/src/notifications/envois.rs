//! One mail for what comes to a person within a while (`EMAILS_GROUP_SECONDS`): a mail gathers for some seconds, and the
//! next one leaves no sooner than the while after it. In a person's quiet hours none leaves.
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::jobs::SendGroup;
use crate::{Result, Tx, jobs::enqueue_in, preferences};

/// How long a mail gathers before it leaves: assignments made one after the other are one mail, and nobody waits.
const GATHER: TimeDelta = TimeDelta::seconds(5);

/// Adds the mail of a notification to the one that gathers for its reader, or begins another. Nothing happens to one that
/// was added before.
pub async fn admit(
    tx: &mut Tx<'_>,
    notification_id: i64,
    user_id: i64,
    group: TimeDelta,
    now: DateTime<Utc>,
) -> Result<()> {
    let quiet_until = preferences::find(&mut **tx, user_id).await?.quiet_until(now);
    let last = last_departure(tx, user_id).await?;
    let part_le = [Some(now + GATHER.min(group)), last.map(|last| last + group), quiet_until];
    let part_le = part_le.into_iter().flatten().max().unwrap_or(now);
    let (envoi_id, fresh) = open(tx, user_id, part_le).await?;
    sqlx::query!(
        "insert into envoi_notifications (envoi_id, notification_id) values ($1, $2) on conflict do nothing",
        envoi_id,
        notification_id,
    )
    .execute(&mut **tx)
    .await?;
    if fresh {
        enqueue_in(tx, &SendGroup { envoi_id }, (part_le - now).to_std().unwrap_or_default())
            .await?;
    }
    Ok(())
}

/// Whether a notification is in a mail that gathers, or was sent.
pub async fn is_admitted(db: impl PgExecutor<'_>, notification_id: i64) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from envoi_notifications where notification_id = $1) as "it!""#,
        notification_id,
    )
    .fetch_one(db)
    .await?)
}

/// When the last mail of a person left.
async fn last_departure(tx: &mut PgConnection, user_id: i64) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("select max(ferme_le) from envois where user_id = $1", user_id)
        .fetch_one(tx)
        .await?)
}

/// The mail that gathers for a person, or a new one that leaves at `part_le`, and which it is. Its row is locked: a worker
/// that is about to send it waits for this transaction.
async fn open(tx: &mut PgConnection, user_id: i64, part_le: DateTime<Utc>) -> Result<(i64, bool)> {
    let row = sqlx::query!(
        r#"
            insert into envois (user_id, part_le) values ($1, $2)
            on conflict (user_id) where ferme_le is null do update set user_id = excluded.user_id
            returning id, xmax = 0 as "fresh!"
        "#,
        user_id,
        part_le,
    )
    .fetch_one(tx)
    .await?;
    Ok((row.id, row.fresh))
}

/// Closes a mail, so that nothing more is added, and gives its notifications that wait to be sent, oldest first.
pub async fn close(tx: &mut Tx<'_>, envoi_id: i64, now: DateTime<Utc>) -> Result<Vec<i64>> {
    sqlx::query!(
        "update envois set ferme_le = coalesce(ferme_le, $2) where id = $1",
        envoi_id,
        now,
    )
    .execute(&mut **tx)
    .await?;
    waiting(&mut **tx, envoi_id).await
}

/// The notifications of a mail that wait to be sent.
pub(super) async fn waiting(db: impl PgExecutor<'_>, envoi_id: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select n.id from envoi_notifications en join notifications n on n.id = en.notification_id
            where en.envoi_id = $1 and n.canal = 'email' and n.statut <> 'envoyee'
            order by n.id
        "#,
        envoi_id,
    )
    .fetch_all(db)
    .await?)
}

/// Forgets mails that were sent before `before`, and who was told what before it; how many.
pub async fn forget(db: &sqlx::PgPool, before: DateTime<Utc>) -> Result<u64> {
    let envois = sqlx::query!("delete from envois where ferme_le < $1", before).execute(db).await?;
    let told = sqlx::query!("delete from evenements_notifies where notifie_le < $1", before)
        .execute(db)
        .await?;
    Ok(envois.rows_affected() + told.rows_affected())
}
