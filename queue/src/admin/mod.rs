//! What operators see of the jobs, and what they do to them. Each function is idempotent.
mod act;
mod job;
mod prune;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

pub use act::{cancel, delete, find_for_update, lock, redrive};
pub(crate) use job::list_in;
pub use job::{
    Attempt, Filter, Job, State, find, find_all, has_jobs, jobs_about, jobs_of_key, list,
};
pub use prune::{forget_keys, keep_days, prune_dead, prune_rest};

use crate::Result;

/// A queue, with the counts of its jobs, up to the limit that was asked for.
#[derive(Debug, Clone)]
pub struct Queue {
    pub name: String,
    pub paused_at: Option<DateTime<Utc>>,
    pub paused_by: Option<String>,
    /// The concurrency that operators have set; `None`: that of the program.
    pub concurrency: Option<i32>,
    pub ready: i64,
    pub scheduled: i64,
    pub retrying: i64,
    pub running: i64,
    pub dead: i64,
    /// How long the job due first has been ready.
    pub oldest_ready_seconds: Option<f64>,
}

/// The queues of `known`, those that operators have set something for, and those that have a live or a dead job; each count
/// reads at most `most` rows.
pub async fn queues(db: impl PgExecutor<'_>, known: &[String], most: i64) -> Result<Vec<Queue>> {
    // Few distinct queues among many rows: the recursion asks the index for the next one. Running jobs are counted among those
    // that were due first.
    let queues = sqlx::query_as!(
        Queue,
        r#"
            with recursive live as (
                (select queue from queue.jobs order by queue limit 1)
                union all
                select (select j.queue from queue.jobs j where j.queue > l.queue order by j.queue limit 1)
                from live l where l.queue is not null
            ),
            ended as (
                (select queue from queue.ended_dead order by queue limit 1)
                union all
                select (select d.queue from queue.ended_dead d where d.queue > e.queue order by d.queue limit 1)
                from ended e where e.queue is not null
            ),
            names as (
                select queue as name from live where queue is not null
                union select queue from ended where queue is not null
                union select unnest($1::text[])
                union select queue from queue.settings
            )
            select n.name as "name!", s.paused_at as "paused_at?", s.paused_by as "paused_by?", s.concurrency as "concurrency?",
                due.ready as "ready!", later.scheduled as "scheduled!", later.retrying as "retrying!",
                due.running as "running!",
                (select count(*) from (select from queue.ended_dead where queue = n.name limit $2) c) as "dead!",
                extract(epoch from clock_timestamp() - due.oldest)::float8 as "oldest_ready_seconds?"
            from names n
            left join queue.settings s on s.queue = n.name
            cross join lateral (
                select count(*) filter (where lock_by is null) as ready, count(*) filter (where lock_by is not null) as running,
                    min(run_at) filter (where lock_by is null) as oldest
                from (
                    select run_at, lock_by from queue.jobs
                    where queue = n.name and run_at <= statement_timestamp() order by run_at limit $2
                ) as first
            ) as due
            cross join lateral (
                select count(*) filter (where error is null) as scheduled, count(*) filter (where error is not null) as retrying
                from (
                    select error from queue.jobs
                    where queue = n.name and run_at > statement_timestamp() order by run_at limit $2
                ) as first
            ) as later
            order by n.name
        "#,
        known,
        most,
    )
    .fetch_all(db)
    .await?;
    Ok(queues)
}

/// Pauses `queue`, in the name of `by`: no worker claims a job of it any more. Running jobs go on, and short jobs that a
/// process holds ready begin within two seconds or are handed back.
pub async fn pause(db: &mut PgConnection, queue: &str, by: &str) -> Result<()> {
    sqlx::query!(
        r#"
            insert into queue.settings as s (queue, paused_at, paused_by) values ($1, now(), $2)
            on conflict (queue) do update set paused_at = now(), paused_by = $2 where s.paused_at is null
        "#,
        queue,
        by,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a [`pause`].
pub async fn resume(db: &mut PgConnection, queue: &str) -> Result<()> {
    sqlx::query!(
        "update queue.settings set paused_at = null, paused_by = null where queue = $1",
        queue
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("select pg_notify('queue', $1)", queue).fetch_one(db).await?;
    Ok(())
}

/// Sets how many jobs of `queue` each process runs at once, from 1 to 1000; `None`: as many as its program says. Every process
/// follows within two seconds. Running jobs go on.
pub async fn set_concurrency(db: &mut PgConnection, queue: &str, limit: Option<i32>) -> Result<()> {
    sqlx::query!(
        r#"
            insert into queue.settings (queue, concurrency) values ($1, $2)
            on conflict (queue) do update set concurrency = $2
        "#,
        queue,
        limit,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The concurrency that operators have set, of each queue.
pub(crate) async fn concurrencies(db: impl PgExecutor<'_>) -> Result<HashMap<String, usize>> {
    let rows = sqlx::query!(
        r#"select queue, concurrency as "concurrency!" from queue.settings where concurrency is not null limit 1000"#
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.queue, usize::try_from(row.concurrency).unwrap_or(1))).collect())
}

/// A process that runs jobs.
#[derive(Debug, Clone)]
pub struct Worker {
    pub id: String,
    pub queues: Vec<String>,
    pub started_at: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    /// Jobs that it holds; reads every live job.
    pub running: i64,
}

/// The processes that were heard of in the last day and have not signed off, latest first, two hundred at the most.
pub async fn workers(db: impl PgExecutor<'_>) -> Result<Vec<Worker>> {
    let workers = sqlx::query_as!(
        Worker,
        r#"
            select id, queues, started_at, last_seen, coalesce(running, 0) as "running!"
            from queue.workers w
            left join (
                select lock_by, count(*) as running from queue.jobs where lock_by is not null group by lock_by
            ) as held on held.lock_by = w.id
            where last_seen > clock_timestamp() - interval '1 day' and signed_off_at is null
            order by last_seen desc
            limit 200
        "#
    );
    Ok(workers.fetch_all(db).await?)
}
