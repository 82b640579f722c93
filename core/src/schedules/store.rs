//! SQL of the `schedules` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Schedule;
use crate::{Error, Noun, Result};

/// Every schedule, by name: as many as the code knows.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Schedule>> {
    Ok(sqlx::query_as!(
        Schedule,
        "select name, cron, timezone, enabled, last_run_at, next_run_at, version from schedules order by name limit 200"
    )
    .fetch_all(db)
    .await?)
}

pub(super) async fn find_for_update(tx: &mut PgConnection, name: &str) -> Result<Schedule> {
    sqlx::query_as!(
        Schedule,
        r#"
            select name, cron, timezone, enabled, last_run_at, next_run_at, version
            from schedules where name = $1 for update
        "#,
        name,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(Error::NotFound(Noun::Schedule))
}

/// Those of `known` that are due, or do not know yet when they will be; those that another worker looks at are left out.
pub(super) async fn due(tx: &mut PgConnection, known: &[String]) -> Result<Vec<Schedule>> {
    Ok(sqlx::query_as!(
        Schedule,
        r#"
            select name, cron, timezone, enabled, last_run_at, next_run_at, version
            from schedules
            where enabled and name = any($1) and (next_run_at is null or next_run_at <= clock_timestamp())
            order by name
            for update skip locked
        "#,
        known,
    )
    .fetch_all(tx)
    .await?)
}

/// Seconds until the next one of `known` is due, by the database's clock; one that does not know yet is due.
pub(super) async fn seconds_to_next(
    db: impl PgExecutor<'_>,
    known: &[String],
) -> Result<Option<f64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select extract(epoch from min(coalesce(next_run_at, to_timestamp(0))) - clock_timestamp())::float8
            from schedules where enabled and name = any($1)
        "#,
        known,
    )
    .fetch_one(db)
    .await?)
}

/// The database's clock: that of the schedules.
pub(super) async fn now(tx: &mut PgConnection) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(tx).await?)
}

pub(super) async fn save(tx: &mut PgConnection, schedule: &Schedule) -> Result<()> {
    sqlx::query!(
        r#"
            update schedules
            set cron = $2, timezone = $3, enabled = $4, last_run_at = $5, next_run_at = $6, updated_at = now()
            where name = $1
        "#,
        schedule.name,
        schedule.cron,
        schedule.timezone,
        schedule.enabled,
        schedule.last_run_at,
        schedule.next_run_at,
    )
    .execute(tx)
    .await?;
    Ok(())
}
