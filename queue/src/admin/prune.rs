//! Pruning of ended jobs and of keys.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::Result;

/// Creates a table for each of the next days, and drops those that lie more than `kept` days back, with all jobs that were done
/// or cancelled in them; returns how many were dropped. Waits for no lock for longer than two seconds. To be called daily: jobs
/// that end on a day without a table are kept in one more ([`prune_rest`]).
pub async fn keep_days(db: impl PgExecutor<'_>, kept: i32) -> Result<i32> {
    Ok(sqlx::query_scalar!(r#"select queue.keep_days($1) as "dropped!""#, kept)
        .fetch_one(db)
        .await?)
}

/// Removes up to `limit` jobs that were done or cancelled before `before`, of those whose day had no table; returns how many.
pub async fn prune_rest(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let pruned = sqlx::query!(
        r#"
            delete from queue.ended_rest where ctid = any(array(
                select ctid from queue.ended_rest where ended_at < $1 limit $2 for update skip locked
            ))
        "#,
        before,
        limit,
    );
    Ok(pruned.execute(db).await?.rows_affected())
}

/// Removes up to `limit` jobs that died before `before`; returns how many.
pub async fn prune_dead(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let pruned = sqlx::query!(
        r#"
            delete from queue.ended_dead where ctid = any(array(
                select ctid from queue.ended_dead where ended_at < $1 limit $2 for update skip locked
            ))
        "#,
        before,
        limit,
    );
    Ok(pruned.execute(db).await?.rows_affected())
}

/// Frees up to `limit` keys that were taken before `before` by jobs that have ended since; returns how many.
pub async fn forget_keys(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let freed = sqlx::query!(
        r#"
            delete from queue.keys where ctid = any(array(
                select k.ctid from queue.keys k
                where taken_at < $1 and not exists (select from queue.jobs j where j.id = k.job)
                limit $2
                for update skip locked
            ))
        "#,
        before,
        limit,
    );
    Ok(freed.execute(db).await?.rows_affected())
}
