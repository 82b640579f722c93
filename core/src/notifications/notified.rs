//! Who was told of what: SQL of the `evenements_notifies` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::Result;

/// Claims the telling of event `cle` to a user. Returns false if that user has been told of it already.
pub(crate) async fn claim(
    db: impl PgExecutor<'_>,
    cle: &str,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into evenements_notifies (cle, user_id, notifie_le) values ($1, $2, $3) on conflict do nothing",
        cle,
        user_id,
        now,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records which notification told a user of event `cle`.
pub(super) async fn name_claim(
    tx: &mut PgConnection,
    cle: &str,
    user_id: i64,
    notification_id: i64,
) -> Result<()> {
    sqlx::query!(
        "update evenements_notifies set notification_id = $3 where cle = $1 and user_id = $2",
        cle,
        user_id,
        notification_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Deletes the records from before `before`, at most `limit`; returns how many.
pub(super) async fn forget(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"
                delete from evenements_notifies where (cle, user_id) in (
                    select cle, user_id from evenements_notifies where notifie_le < $1 limit $2)
            "#,
        before,
        limit,
    );
    Ok(done.execute(tx).await?.rows_affected())
}
