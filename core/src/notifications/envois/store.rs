//! SQL of `envois` and `envoi_notifications`, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::Result;

/// Whether a notification is in a mail that gathers, or was sent.
pub async fn is_admitted(db: impl PgExecutor<'_>, notification_id: i64) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from envoi_notifications where notification_id = $1) as "it!""#,
        notification_id,
    )
    .fetch_one(db)
    .await?)
}

/// Whose mail it is; `None`: it is gone.
pub async fn reader(db: impl PgExecutor<'_>, envoi_id: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!("select user_id from envois where id = $1", envoi_id)
        .fetch_optional(db)
        .await?)
}

/// Records that the mail server took a mail.
pub async fn record_departure(
    db: impl PgExecutor<'_>,
    envoi_id: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("update envois set parti_le = $2 where id = $1", envoi_id, now)
        .execute(db)
        .await?;
    Ok(())
}

/// When the last mail of a person left.
pub(super) async fn last_departure(
    tx: &mut PgConnection,
    user_id: i64,
) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("select max(parti_le) from envois where user_id = $1", user_id)
        .fetch_one(tx)
        .await?)
}

/// The mail that gathers for a person, locked, and whether it was begun just now.
pub(super) async fn open(
    tx: &mut PgConnection,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<(i64, bool)> {
    let row = sqlx::query!(
        r#"
            insert into envois (user_id, part_le) values ($1, $2)
            on conflict (user_id) where ferme_le is null do update set user_id = excluded.user_id
            returning id, xmax = 0 as "is_new!"
        "#,
        user_id,
        now,
    )
    .fetch_one(tx)
    .await?;
    Ok((row.id, row.is_new))
}

pub(super) async fn set_departure(
    tx: &mut PgConnection,
    envoi_id: i64,
    part_le: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("update envois set part_le = $2 where id = $1", envoi_id, part_le)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn add(tx: &mut PgConnection, envoi_id: i64, notification_id: i64) -> Result<()> {
    sqlx::query!(
        "insert into envoi_notifications (envoi_id, notification_id) values ($1, $2) on conflict do nothing",
        envoi_id,
        notification_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn close(tx: &mut PgConnection, envoi_id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update envois set ferme_le = coalesce(ferme_le, $2) where id = $1",
        envoi_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The notifications of a mail that wait to be sent.
pub(in crate::notifications) async fn waiting(
    tx: &mut PgConnection,
    envoi_id: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select n.id from envoi_notifications en join notifications n on n.id = en.notification_id
            where en.envoi_id = $1 and n.canal = 'email' and n.statut <> 'envoyee'
            order by n.id
        "#,
        envoi_id,
    )
    .fetch_all(tx)
    .await?)
}

/// The first notification that a mail has gathered, sent or not.
pub(super) async fn first(tx: &mut PgConnection, envoi_id: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "select min(notification_id) from envoi_notifications where envoi_id = $1",
        envoi_id
    )
    .fetch_one(tx)
    .await?)
}

/// Opens a mail again, unless another one gathers for the same person.
pub(super) async fn reopen(tx: &mut PgConnection, envoi_id: i64) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update envois e set ferme_le = null
            where id = $1 and not exists (
                select from envois o where o.user_id = e.user_id and o.ferme_le is null and o.id <> e.id)
        "#,
        envoi_id,
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives what waits in a mail to the one that gathers for the same person. That one is locked first: should it be closed
/// just now, nothing is moved, and the mail is tried again as it is.
pub(super) async fn hand_over(tx: &mut PgConnection, envoi_id: i64) -> Result<()> {
    sqlx::query!(
        r#"
            with gathering as (
                select o.id from envois o join envois e on e.user_id = o.user_id
                where e.id = $1 and o.ferme_le is null
                for update of o
            )
            update envoi_notifications set envoi_id = gathering.id from gathering where envoi_id = $1
        "#,
        envoi_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes back that the notifications of a mail were given up.
pub(in crate::notifications) async fn revive(tx: &mut PgConnection, envoi_id: i64) -> Result<()> {
    let ids = waiting(&mut *tx, envoi_id).await?;
    super::super::store::set_queued_again(tx, &ids).await
}

/// Forgets mails that were closed before `before`, at most `limit`; how many.
pub async fn forget(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let done = sqlx::query!(
        "delete from envois where id in (select id from envois where ferme_le < $1 limit $2)",
        before,
        limit,
    );
    Ok(done.execute(pool).await?.rows_affected())
}
