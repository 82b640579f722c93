//! SQL of operators over the view `jobs` and apalis's table.
use chrono::{DateTime, Utc};
use sqlx::{FromRow, PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder, types::Json};

use super::{JobAttempt, JobFilter, JobList, JobOut, QueueOut, WorkerOut};
use crate::{
    Error, Noun, Result,
    page::{self, Listed, contains_pattern},
};

/// A job with all that its row says.
#[derive(FromRow)]
pub(super) struct Row {
    #[sqlx(flatten)]
    pub(super) job: JobOut,
    pub(super) payload: Vec<u8>,
    pub(super) history: Json<Vec<JobAttempt>>,
}

pub async fn list(pool: &PgPool, list: &JobList) -> Result<Listed<JobOut>> {
    page::list(pool, "jobs", &["id"], &list.page, |query| push_where(query, &list.filter)).await
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &JobFilter) {
    query.push(" where true");
    if let Some(state) = filter.state {
        query.push(" and ").push(state.condition());
    }
    if let Some(type_) = &filter.type_ {
        query.push(" and type = ").push_bind(type_.clone());
    }
    if let Some(error) = &filter.error {
        query.push(" and status <> 'Done' and error is not null and error ilike ");
        query.push_bind(contains_pattern(error));
    }
    let (from, to) = filter.ids();
    if let Some(from) = from {
        query.push(" and id >= ").push_bind(from);
    }
    if let Some(to) = to {
        query.push(" and id <= ").push_bind(to);
    }
}

pub(super) async fn find(db: impl PgExecutor<'_>, id: &str) -> Result<Row> {
    find_with(db, id, "").await
}

/// Locks the job, so that neither a worker nor another operator moves it meanwhile.
pub(super) async fn find_for_update(tx: &mut PgConnection, id: &str) -> Result<Row> {
    find_with(tx, id, " for update").await
}

/// The row that lists have too, whose query is made at run time.
async fn find_with(db: impl PgExecutor<'_>, id: &str, lock: &'static str) -> Result<Row> {
    let mut query = QueryBuilder::<Postgres>::new("select * from jobs where id = ");
    query.push_bind(id).push(lock);
    query.build_query_as().fetch_optional(db).await?.ok_or(Error::NotFound(Noun::Job))
}

/// Up to `limit` jobs of `filter` that `condition` holds for, locked; those that somebody else holds are left out.
pub(super) async fn find_all_for_update(
    tx: &mut PgConnection,
    filter: &JobFilter,
    condition: &'static str,
    limit: i64,
) -> Result<Vec<Row>> {
    let mut query = QueryBuilder::new("select * from jobs");
    push_where(&mut query, filter);
    query.push(" and ").push(condition).push(" order by id limit ").push_bind(limit);
    query.push(" for update skip locked");
    Ok(query.build_query_as().fetch_all(tx).await?)
}

/// How many jobs of `filter` `condition` holds for, counted up to `limit`.
pub(super) async fn count(
    db: impl PgExecutor<'_>,
    filter: &JobFilter,
    condition: &'static str,
    limit: i64,
) -> Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from (select from jobs");
    push_where(&mut query, filter);
    query.push(" and ").push(condition).push(" limit ").push_bind(limit).push(") as counted");
    Ok(query.build_query_scalar().fetch_one(db).await?)
}

/// Makes a job ready, as if it had never run; its history stays.
pub(super) async fn redrive(tx: &mut PgConnection, id: &str) -> Result<()> {
    sqlx::query!(
        r#"
            with ready as (
                update apalis.jobs
                set status = 'Pending', attempts = 0,
                    -- The worker that ran it when it was cancelled needs a moment to see that, and to stop.
                    run_at = case when status = 'Cancelled' and attempts_log -> -1 ->> 'worker' is not null
                        then greatest(now(), done_at + interval '10 seconds') else now() end,
                    done_at = null, lock_by = null, lock_at = null,
                    metadata = delete(coalesce(metadata, ''::hstore), array['rescues', 'outages', 'outage_since', 'outage_of']),
                    attempts_log = attempts_log || jsonb_build_object('attempt', attempts, 'worker', null,
                        'started_at', null, 'ended_at', clock_timestamp(), 'outcome', 'redriven', 'error', null)
                where id = $1
                returning job_type
            )
            select pg_notify('erp_jobs', job_type) from ready
        "#,
        id,
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}

/// Calls a job off. The worker that runs it notices, and stops.
pub(super) async fn cancel(tx: &mut PgConnection, id: &str, reason: &str) -> Result<()> {
    sqlx::query!(
        r#"
            update apalis.jobs
            set status = 'Cancelled', done_at = clock_timestamp(), lock_by = null, lock_at = null,
                attempts_log = attempts_log || jsonb_build_object('attempt', attempts, 'worker', lock_by,
                    'started_at', lock_at, 'ended_at', clock_timestamp(), 'outcome', 'cancelled', 'error', $2::text)
            where id = $1
        "#,
        id,
        reason,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, ids: &[String]) -> Result<()> {
    sqlx::query!("delete from apalis.jobs where id = any($1)", ids).execute(tx).await?;
    Ok(())
}

/// Every queue that is known, paused, or has a job that is not done. Each count reads at most `most` index entries.
pub(super) async fn queues(
    db: impl PgExecutor<'_>,
    known: &[String],
    most: i64,
) -> Result<Vec<QueueOut>> {
    // Few distinct types among many rows: the recursion asks the index for the next one.
    let queues = sqlx::query_as!(
        QueueOut,
        r#"
            with recursive types as (
                (select job_type from apalis.jobs order by job_type limit 1)
                union all
                select (select j.job_type from apalis.jobs j where j.job_type > t.job_type order by j.job_type limit 1)
                from types t where t.job_type is not null
            ),
            names as (
                select job_type as name from types where job_type is not null
                union select unnest($1::text[])
                union select name from apalis.paused_queues
            )
            select n.name as "name!", p.name is not null as "paused!", p.paused_at as "paused_at?",
                p.paused_by as "paused_by?",
                ready.count as "ready!",
                later.scheduled as "scheduled!",
                later.retrying as "retrying!",
                (select count(*) from (select from apalis.jobs where job_type = n.name and status = 'Running'
                    and lock_by is not null limit $2) c) as "running!",
                (select count(*) from (select from apalis.jobs where job_type = n.name and status = 'Killed' limit $2) c)
                    as "dead!",
                extract(epoch from clock_timestamp() - ready.oldest)::float8 as "oldest_ready_seconds?"
            from names n
            left join apalis.paused_queues p on p.name = n.name
            -- Level by level: with the priority fixed the index is in order of time.
            cross join lateral (
                select least(count(*), $2) as count, min(due.run_at) as oldest
                from (values (2), (1), (0)) as level (priority)
                cross join lateral (
                    select run_at from apalis.jobs
                    where job_type = n.name and priority = level.priority and run_at <= statement_timestamp()
                      and (status = 'Pending' or status = 'Failed' and attempts < max_attempts)
                    order by run_at limit $2
                ) as due
            ) as ready
            cross join lateral (
                select least(count(*) filter (where status = 'Pending'), $2) as scheduled,
                    least(count(*) filter (where status = 'Failed'), $2) as retrying
                from (values (2), (1), (0)) as level (priority)
                cross join lateral (
                    select status from apalis.jobs
                    where job_type = n.name and priority = level.priority and run_at > statement_timestamp()
                      and (status = 'Pending' or status = 'Failed' and attempts < max_attempts)
                    order by run_at limit $2
                ) as waiting
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

/// Whether there is any job of this type.
pub(super) async fn has_jobs(db: &mut PgConnection, name: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from apalis.jobs where job_type = $1) as "exists!""#,
        name
    )
    .fetch_one(db)
    .await?)
}

pub(super) async fn pause(tx: &mut PgConnection, name: &str, by: i64) -> Result<()> {
    sqlx::query!(
        r#"
            insert into apalis.paused_queues (name, paused_by)
            values ($1, coalesce((select username from users where id = $2), ''))
            on conflict do nothing
        "#,
        name,
        by,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn resume(tx: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!("delete from apalis.paused_queues where name = $1", name)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("select pg_notify('erp_jobs', $1)", name).fetch_one(tx).await?;
    Ok(())
}

/// The worker processes that were heard of in the last day, latest first.
pub async fn workers(pool: &PgPool) -> Result<Vec<WorkerOut>> {
    let rows = sqlx::query!(
        r#"
            select id, layers as queues, started_at, last_seen,
                (select count(*) from apalis.jobs j where j.lock_by = w.id and j.status = 'Running') as "running!"
            from apalis.workers w
            where last_seen > clock_timestamp() - interval '1 day'
            order by last_seen desc
            limit 200
        "#
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| WorkerOut {
            id: row.id,
            queues: row.queues.split(',').filter(|q| !q.is_empty()).map(str::to_owned).collect(),
            started_at: row.started_at,
            last_seen: row.last_seen,
            running: row.running,
        })
        .collect())
}

/// Removes up to `limit` jobs that ended as `status` before `before`.
pub async fn prune(
    tx: &mut PgConnection,
    status: &str,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let pruned = sqlx::query!(
        r#"
            delete from apalis.jobs where id in (
                select id from apalis.jobs
                where status = $1 and done_at < $2 and status in ('Done', 'Killed', 'Cancelled')
                order by done_at
                limit $3
                for update skip locked
            )
        "#,
        status,
        before,
        limit,
    )
    .execute(tx)
    .await?;
    Ok(usize::try_from(pruned.rows_affected()).unwrap_or(usize::MAX))
}
