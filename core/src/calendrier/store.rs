//! SQL of the `calendriers` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::Result;

pub(super) async fn save(
    tx: &mut PgConnection,
    user_id: i64,
    empreinte: &[u8],
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into calendriers (user_id, empreinte, created_at) values ($1, $2, $3)
            on conflict (user_id) do update set empreinte = $2, created_at = $3
        "#,
        user_id,
        empreinte,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, user_id: i64) -> Result<()> {
    sqlx::query!("delete from calendriers where user_id = $1", user_id).execute(tx).await?;
    Ok(())
}

pub(super) async fn created_at(
    db: impl PgExecutor<'_>,
    user_id: i64,
) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!("select created_at from calendriers where user_id = $1", user_id)
        .fetch_optional(db)
        .await?)
}

pub(super) async fn owner(db: impl PgExecutor<'_>, empreinte: &[u8]) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!("select user_id from calendriers where empreinte = $1", empreinte)
        .fetch_optional(db)
        .await?)
}
