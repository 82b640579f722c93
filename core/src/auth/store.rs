//! SQL of `refresh_tokens` and `login_failures`, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{FAILURE_WINDOW, LOCK, MAX_FAILURES};
use crate::Result;

pub(super) struct RefreshToken {
    pub id: Uuid,
    pub famille: Uuid,
    pub user_id: i64,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    famille: Uuid,
    user_id: i64,
    empreinte: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into refresh_tokens (id, famille, user_id, empreinte, expires_at) values ($1, $2, $3, $4, $5)",
        Uuid::now_v7(),
        famille,
        user_id,
        empreinte,
        expires_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn find_for_update(
    tx: &mut PgConnection,
    empreinte: &[u8],
) -> Result<Option<RefreshToken>> {
    Ok(sqlx::query_as!(
        RefreshToken,
        r#"
            select id, famille, user_id, expires_at, used_at, revoked_at
            from refresh_tokens
            where empreinte = $1
            for update
        "#,
        empreinte,
    )
    .fetch_optional(tx)
    .await?)
}

pub(super) async fn mark_used(tx: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update refresh_tokens set used_at = $2 where id = $1", id, now)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn revoke_family(
    tx: &mut PgConnection,
    famille: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update refresh_tokens set revoked_at = $2 where famille = $1 and revoked_at is null",
        famille,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn revoke_user(
    tx: &mut PgConnection,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update refresh_tokens set revoked_at = $2 where user_id = $1 and revoked_at is null",
        user_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn locked_until(
    db: impl PgExecutor<'_>,
    compte: &str,
    adresse: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        r#"
            select bloque_jusqu_a as "bloque_jusqu_a!"
            from login_failures
            where compte = $1 and adresse = $2 and bloque_jusqu_a > $3
        "#,
        compte,
        adresse,
        now,
    )
    .fetch_optional(db)
    .await?)
}

pub(super) async fn record_failure(
    db: impl PgExecutor<'_>,
    compte: &str,
    adresse: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    // The count starts anew after the window, and after a lock that has been served.
    sqlx::query!(
        r#"
            insert into login_failures as f (compte, adresse, echecs, premier_echec)
            values ($1, $2, 1, $3)
            on conflict (compte, adresse) do update set
                echecs = case when f.premier_echec <= $4 or f.bloque_jusqu_a <= $3 then 1 else f.echecs + 1 end,
                premier_echec = case when f.premier_echec <= $4 or f.bloque_jusqu_a <= $3 then $3 else f.premier_echec end,
                bloque_jusqu_a = case
                    when f.premier_echec <= $4 or f.bloque_jusqu_a <= $3 then null
                    when f.echecs + 1 >= $5 then coalesce(f.bloque_jusqu_a, $6)
                end
        "#,
        compte,
        adresse,
        now,
        now - FAILURE_WINDOW,
        MAX_FAILURES,
        now + LOCK,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(super) async fn forget_failures(
    db: impl PgExecutor<'_>,
    compte: &str,
    adresse: &str,
) -> Result<()> {
    sqlx::query!("delete from login_failures where compte = $1 and adresse = $2", compte, adresse)
        .execute(db)
        .await?;
    Ok(())
}

/// Removes up to `limit` tokens that nobody can use any more; those used or revoked are kept until they would have
/// expired, so that their theft is still noticed.
pub(super) async fn purge_tokens(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from refresh_tokens
            where id in (select id from refresh_tokens where expires_at < $1 order by expires_at limit $2)
        "#,
        now,
        limit,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}

/// Removes up to `limit` counts of failures that are a day old: no window and no lock lasts so long.
pub(super) async fn purge_failures(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from login_failures
            where (compte, adresse) in (
                select compte, adresse from login_failures where premier_echec < $1 order by premier_echec limit $2)
        "#,
        now - chrono::TimeDelta::days(1),
        limit,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}
