//! SQL of the schedules, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Schedule;
use crate::{Error, Result};

/// `query_as!` of schedules.
macro_rules! query_schedules {
    ($rest:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Schedule,
            "select name, cron, timezone, enabled, last_run_at, next_run_at, version from queue.schedules " + $rest
            $(, $argument)*
        )
    };
}

/// Inserts schedule `name`, without a date yet; one that exists does not change.
pub async fn declare(db: &mut PgConnection, name: &str, cron: &str, timezone: &str) -> Result<()> {
    sqlx::query!(
        "insert into queue.schedules (name, cron, timezone) values ($1, $2, $3) on conflict (name) do nothing",
        name,
        cron,
        timezone,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The first 200 schedules, by name.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Schedule>> {
    Ok(query_schedules!("order by name limit 200").fetch_all(db).await?)
}

/// The first 200 schedules that have a next tick, by name, and locks them.
pub async fn lock_all(db: &mut PgConnection) -> Result<Vec<Schedule>> {
    Ok(query_schedules!("where next_run_at is not null order by name limit 200 for update")
        .fetch_all(db)
        .await?)
}

/// Sets the next tick of schedule `name`, when its calendar has changed and its expression has not.
pub async fn set_next(db: &mut PgConnection, name: &str, next: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update queue.schedules set next_run_at = $2, updated_at = now() where name = $1",
        name,
        next,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Schedule `name`, locked until the transaction ends.
pub async fn find_for_update(db: &mut PgConnection, name: &str) -> Result<Schedule> {
    let found = query_schedules!("where name = $1 for update", name).fetch_optional(db).await?;
    found.ok_or(Error::NotFound("schedule"))
}

/// Locks and returns the schedules of `known` that are due or have no date yet; those that another process has locked are left
/// out.
pub(super) async fn due(db: &mut PgConnection, known: &[String]) -> Result<Vec<Schedule>> {
    Ok(query_schedules!(
        r#"
            where enabled and name = any($1) and (next_run_at is null or next_run_at <= clock_timestamp())
            order by name
            for update skip locked
        "#,
        known,
    )
    .fetch_all(db)
    .await?)
}

/// Seconds until the next one of `known` is due, by the database's clock; one without a date is due.
pub(super) async fn seconds_to_next(
    db: impl PgExecutor<'_>,
    known: &[String],
) -> Result<Option<f64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select extract(epoch from min(coalesce(next_run_at, to_timestamp(0))) - clock_timestamp())::float8
            from queue.schedules where enabled and name = any($1)
        "#,
        known,
    )
    .fetch_one(db)
    .await?)
}

/// The time by the database's clock, which is the clock of the schedules.
pub(super) async fn now(db: &mut PgConnection) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(db).await?)
}

pub(super) async fn save(db: &mut PgConnection, schedule: &Schedule) -> Result<()> {
    sqlx::query!(
        r#"
            update queue.schedules
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
    .execute(db)
    .await?;
    Ok(())
}
