//! Breakers: the state of the services that jobs need, shared by all workers.
//!
//! After [`OPENS_AFTER`] failures in a row a breaker opens: jobs that need the service are not claimed, but for one at a time
//! in the whole cluster, the probe. The first answer of the service closes it.
//!
//! Its state is a row of `queue.breakers`, and every time in it is the database's. So Postgres itself has no breaker: while it
//! is unavailable, no row can be read, and no job can be claimed either.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

use crate::Result;

/// Failures in a row, of any workers, that open a breaker.
pub const OPENS_AFTER: i32 = 5;
/// The longest pause between two probes: how late a service that is back is noticed.
pub const PROBE_BACKOFF: Duration = Duration::from_secs(15);
/// Another worker may probe when the holder of the probe has not renewed it for this long.
pub const PROBE_LEASE: Duration = Duration::from_secs(15);
/// Jobs that waited during an outage become ready spread over this time.
const SPREAD: Duration = Duration::from_secs(2);
/// The payload that announces a change of a breaker (other payloads are names of queues).
pub(crate) const CHANGED: &str = "!breakers";

/// The state of a breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    /// The dependency.
    pub name: String,
    /// Failures in a row, without an answer between them.
    pub failures: i32,
    /// Since when it is open; `None` while it is closed.
    pub open_since: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
    /// Probes that failed since it opened.
    pub probes: i32,
    /// While it is open: when the next probe is due.
    pub next_probe_at: Option<DateTime<Utc>>,
    /// The process that probes at the moment.
    pub probing_by: Option<String>,
}

/// The breakers that processes have declared, by name; the first 100.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<Breaker>> {
    let rows = sqlx::query_as!(
        Breaker,
        r#"
            select name, failures, open_since, last_error, probes,
                case when open_since is not null then probe_at end as next_probe_at,
                case when probe_until > clock_timestamp() then probe_by end as probing_by
            from queue.breakers order by name limit 100
        "#
    );
    Ok(rows.fetch_all(db).await?)
}

/// The dependencies that have failed at least once since they last answered.
pub(crate) async fn failing(pool: &PgPool) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!("select name from queue.breakers where failures > 0 limit 100")
        .fetch_all(pool)
        .await?)
}

/// Counts a failure of `dependency`. `probe` names the worker and the job if it was the probe that failed, which then is over.
/// Returns whether this failure opened the breaker.
pub async fn failed(
    pool: &PgPool,
    dependency: &str,
    error: &str,
    probe: Option<(&str, &str)>,
) -> Result<bool> {
    let (worker, job) = probe.unzip();
    // The pause before the next probe is between half of it and all, as those of jobs. The first failure, and the one that
    // opens, are announced: from now on processes report successes.
    let counted = sqlx::query!(
        r#"
            with before as (
                select name, failures, open_since, coalesce(probe_by = $3 and probe_job = $4, false) as probe
                from queue.breakers where name = $1 for update
            ),
            counted as (
                update queue.breakers d
                set failures = b.failures + 1,
                    last_error = $2,
                    open_since = coalesce(b.open_since, case when b.failures + 1 >= $5 then clock_timestamp() end),
                    probes = case when b.open_since is null then 0 when b.probe then probes + 1 else probes end,
                    probe_at = case
                        when b.open_since is null then clock_timestamp() + interval '1 second' * (0.5 + random() / 2)
                        when b.probe then clock_timestamp()
                            + make_interval(secs => least($6::float8, power(2::float8, least(probes + 1, 10))) * (0.5 + random() / 2))
                        else probe_at end,
                    probe_by = case when b.probe then null else probe_by end,
                    probe_job = case when b.probe then null else probe_job end,
                    probe_until = case when b.probe then null else probe_until end
                from before b where d.name = b.name
                returning b.failures as before, b.open_since is null and d.open_since is not null as opened
            )
            select opened as "opened!", case when opened or before = 0 then pg_notify('queue', $7)::text end as rung
            from counted
        "#,
        dependency,
        // Postgres's text holds no NUL.
        error.replace('\0', "").chars().take(500).collect::<String>(),
        worker,
        job,
        OPENS_AFTER,
        PROBE_BACKOFF.as_secs_f64(),
        CHANGED,
    )
    .fetch_optional(pool)
    .await?;
    Ok(counted.is_some_and(|row| row.opened))
}

/// Inserts the breakers of `dependencies` that do not exist yet: a failure is only counted in an existing row.
pub(crate) async fn declare(pool: &PgPool, dependencies: &[String]) -> Result<()> {
    sqlx::query!(
        "insert into queue.breakers (name) select unnest($1::text[]) on conflict do nothing",
        dependencies
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Records an answer of `dependency`: its failures are reset, and an open breaker is closed. Wakes `queues`, which need it.
/// Returns since when the breaker was open, if it was.
pub async fn answered(
    pool: &PgPool,
    dependency: &str,
    queues: &[String],
) -> Result<Option<DateTime<Utc>>> {
    let row = sqlx::query!(
        r#"
            with before as (select name, open_since from queue.breakers where name = $1 and failures > 0 for update),
            closed as (
                update queue.breakers d
                set failures = 0, open_since = null, probes = 0, probe_at = '-infinity',
                    probe_by = null, probe_job = null, probe_until = null
                from before b where d.name = b.name
                returning b.open_since
            )
            select open_since,
                (select count(pg_notify('queue', name)) from unnest($2::text[] || $3::text) as rung (name)) as rung
            from closed
        "#,
        dependency,
        queues,
        CHANGED,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|row| row.open_since))
}

/// Makes ready up to `limit` jobs of `queues` that wait because `dependency` was unavailable; returns how many. None is made
/// ready twice.
pub async fn wake(pool: &PgPool, dependency: &str, queues: &[String], limit: i64) -> Result<u64> {
    let woken = sqlx::query!(
        r#"
            with waiting as (
                select id from queue.jobs
                where queue = any($2) and run_at > clock_timestamp() + make_interval(secs => $3) and outage_of = $1
                  and lock_by is null
                limit $4
                for update skip locked
            )
            update queue.jobs j set run_at = clock_timestamp() + make_interval(secs => $3 * random())
            from waiting w where j.id = w.id
        "#,
        dependency,
        queues,
        SPREAD.as_secs_f64(),
        limit,
    )
    .execute(pool)
    .await?;
    Ok(woken.rows_affected())
}

/// Extends the probes that `worker` runs with `jobs` by [`PROBE_LEASE`].
pub(crate) async fn renew(pool: &PgPool, worker: &str, jobs: &[String]) -> Result<()> {
    sqlx::query!(
        r#"
            update queue.breakers set probe_until = clock_timestamp() + make_interval(secs => $3)
            where probe_by = $1 and probe_job = any($2)
        "#,
        worker,
        jobs,
        PROBE_LEASE.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Releases the probe that `worker` runs with `job`, or all of its probes if `None`, so that the next may begin. Does nothing
/// for a probe that is over already.
pub(crate) async fn release(pool: &PgPool, worker: &str, job: Option<&str>) -> Result<()> {
    sqlx::query!(
        r#"
            update queue.breakers set probe_by = null, probe_job = null, probe_until = null
            where probe_by = $1 and ($2::text is null or probe_job = $2)
        "#,
        worker,
        job,
    )
    .execute(pool)
    .await?;
    Ok(())
}
