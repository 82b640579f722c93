//! Breakers: what all workers know together of the services that jobs need.
//!
//! After [`OPENS_AFTER`] failures in a row a breaker opens: nobody takes jobs that need the service, but for one at a time in
//! the whole cluster, the probe (`life::take`). The first answer of the service closes it.
//!
//! Its state is a row of `disjoncteurs`, and every time in it is the database's. So Postgres itself can have no breaker: while
//! it is away nobody can read the row, and nobody can take a job either.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgExecutor, PgPool};

use super::known;
use crate::Result;

/// A service outside that jobs need ([`super::Job::NEEDS`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dependency {
    /// The mail server.
    Smtp,
    /// The folder or the bucket of the files.
    Storage,
}

impl Dependency {
    pub const ALL: [Self; 2] = [Self::Smtp, Self::Storage];

    /// As [`crate::Error::Unavailable`] and the metrics name it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Storage => "storage",
        }
    }
}

/// Failures in a row, by whichever workers, that open a breaker.
pub const OPENS_AFTER: i32 = 5;
/// The longest pause between two probes: how late a service that is back is noticed.
pub const PROBE_BACKOFF: Duration = Duration::from_secs(15);
/// A probe belongs to another worker when its holder has not renewed it for so long.
pub const PROBE_LEASE: Duration = Duration::from_secs(15);
/// What waited during an outage comes back spread over so long.
const SPREAD: Duration = Duration::from_secs(2);
/// What a change of a breaker is announced as, among the names of queues.
pub const BELL: &str = "disjoncteurs";

/// A breaker.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct BreakerOut {
    /// `smtp` or `storage`.
    pub dependency: String,
    /// Whether jobs that need it wait, but for one probe at a time.
    pub open: bool,
    pub open_since: Option<DateTime<Utc>>,
    /// In a row, without an answer between.
    pub failures: i32,
    pub last_error: Option<String>,
    /// Probes that failed since it opened.
    pub probes: i32,
    /// While it is open: no probe before.
    pub next_probe_at: Option<DateTime<Utc>>,
    /// The process that probes at the moment.
    pub probing_by: Option<String>,
    /// The queues that wait while it is open.
    pub queues: Vec<String>,
}

/// Every breaker.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<BreakerOut>> {
    let rows = sqlx::query!(
        r#"
            select nom, echecs, ouvert_depuis, derniere_erreur, essais,
                case when ouvert_depuis is not null then essai_a end as essai_a,
                case when essai_jusqu_a > clock_timestamp() then essai_par end as essai_par
            from disjoncteurs order by nom limit 20
        "#
    )
    .fetch_all(db)
    .await?;
    let out = rows.into_iter().map(|row| BreakerOut {
        open: row.ouvert_depuis.is_some(),
        open_since: row.ouvert_depuis,
        failures: row.echecs,
        last_error: row.derniere_erreur,
        probes: row.essais,
        next_probe_at: row.essai_a,
        probing_by: row.essai_par,
        queues: Dependency::ALL
            .iter()
            .filter(|dependency| dependency.as_str() == row.nom)
            .flat_map(|&dependency| known::needing(dependency))
            .map(str::to_owned)
            .collect(),
        dependency: row.nom,
    });
    Ok(out.collect())
}

/// The services that have failed at least once since they last answered.
pub async fn failing(pool: &PgPool) -> Result<Vec<Dependency>> {
    let names = sqlx::query_scalar!("select nom from disjoncteurs where echecs > 0 limit 20")
        .fetch_all(pool)
        .await?;
    let known = Dependency::ALL.into_iter();
    Ok(known.filter(|dependency| names.iter().any(|name| name == dependency.as_str())).collect())
}

/// Counts a failure of `dependency`; `probe` names the worker and the job when that was the probe, which then is over.
/// Whether this failure opened the breaker.
pub async fn failed(
    pool: &PgPool,
    dependency: Dependency,
    error: &str,
    probe: Option<(&str, &str)>,
) -> Result<bool> {
    let (worker, job) = probe.unzip();
    // The pause before the next probe, as those of jobs, between half of it and all. The first failure, and the one that
    // opens, are announced: successes count for something from now on.
    let counted = sqlx::query!(
        r#"
            with before as (
                select nom, echecs, ouvert_depuis, coalesce(essai_par = $3 and essai_tache = $4, false) as probe
                from disjoncteurs where nom = $1 for update
            ),
            counted as (
                update disjoncteurs d
                set echecs = b.echecs + 1,
                    derniere_erreur = $2,
                    ouvert_depuis = coalesce(b.ouvert_depuis, case when b.echecs + 1 >= $5 then clock_timestamp() end),
                    essais = case when b.ouvert_depuis is null then 0 when b.probe then essais + 1 else essais end,
                    essai_a = case
                        when b.ouvert_depuis is null then clock_timestamp() + interval '1 second' * (0.5 + random() / 2)
                        when b.probe then clock_timestamp()
                            + make_interval(secs => least($6::float8, power(2::float8, least(essais + 1, 10))) * (0.5 + random() / 2))
                        else essai_a end,
                    essai_par = case when b.probe then null else essai_par end,
                    essai_tache = case when b.probe then null else essai_tache end,
                    essai_jusqu_a = case when b.probe then null else essai_jusqu_a end
                from before b where d.nom = b.nom
                returning b.echecs as before, b.ouvert_depuis is null and d.ouvert_depuis is not null as opened
            )
            select opened as "opened!", case when opened or before = 0 then pg_notify('erp_jobs', $7)::text end as rung
            from counted
        "#,
        dependency.as_str(),
        // Postgres's text holds no NUL.
        error.replace('\0', "").chars().take(500).collect::<String>(),
        worker,
        job,
        OPENS_AFTER,
        PROBE_BACKOFF.as_secs_f64(),
        BELL,
    )
    .fetch_optional(pool)
    .await?;
    Ok(counted.is_some_and(|row| row.opened))
}

/// Counts an answer of `dependency`: no failure in a row is left, and an open breaker is closed. Since when it was open.
pub async fn answered(pool: &PgPool, dependency: Dependency) -> Result<Option<DateTime<Utc>>> {
    let queues: Vec<_> = known::needing(dependency).map(str::to_owned).collect();
    let row = sqlx::query!(
        r#"
            with before as (select nom, ouvert_depuis from disjoncteurs where nom = $1 and echecs > 0 for update),
            closed as (
                update disjoncteurs d
                set echecs = 0, ouvert_depuis = null, essais = 0, essai_a = '-infinity',
                    essai_par = null, essai_tache = null, essai_jusqu_a = null
                from before b where d.nom = b.nom
                returning b.ouvert_depuis
            )
            select ouvert_depuis,
                (select count(pg_notify('erp_jobs', name)) from unnest($2::text[] || $3::text) as rung (name)) as rung
            from closed
        "#,
        dependency.as_str(),
        &queues,
        BELL,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|row| row.ouvert_depuis))
}

/// Makes ready up to `limit` jobs that wait because `dependency` was away; how many. None is made ready twice.
pub async fn wake(pool: &PgPool, dependency: Dependency, limit: i64) -> Result<u64> {
    let queues: Vec<_> = known::needing(dependency).map(str::to_owned).collect();
    let woken = sqlx::query!(
        r#"
            with waiting as (
                select id from apalis.jobs
                where job_type = any($2) and status = 'Failed' and attempts < max_attempts
                  and run_at > clock_timestamp() + make_interval(secs => $3)
                  and metadata -> 'outage_of' = $1
                limit $4
                for update skip locked
            )
            update apalis.jobs j set run_at = clock_timestamp() + make_interval(secs => $3 * random())
            from waiting w where j.id = w.id
        "#,
        dependency.as_str(),
        &queues,
        SPREAD.as_secs_f64(),
        limit,
    )
    .execute(pool)
    .await?;
    Ok(woken.rows_affected())
}

/// Keeps the probes that `worker` runs with `jobs` its own.
pub async fn renew(pool: &PgPool, worker: &str, jobs: &[String]) -> Result<()> {
    sqlx::query!(
        r#"
            update disjoncteurs set essai_jusqu_a = clock_timestamp() + make_interval(secs => $3)
            where essai_par = $1 and essai_tache = any($2)
        "#,
        worker,
        jobs,
        PROBE_LEASE.as_secs_f64(),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Gives up the probe that `worker` ran with `job`, all of its probes without one: the next may begin. One that has said
/// how the service is has none any more.
pub async fn release(pool: &PgPool, worker: &str, job: Option<&str>) -> Result<()> {
    sqlx::query!(
        r#"
            update disjoncteurs set essai_par = null, essai_tache = null, essai_jusqu_a = null
            where essai_par = $1 and ($2::text is null or essai_tache = $2)
        "#,
        worker,
        job,
    )
    .execute(pool)
    .await?;
    Ok(())
}
