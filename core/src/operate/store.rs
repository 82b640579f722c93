//! SQL of operators over the view `taches`.
use apalis_hot::admin::{self, Job};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{JobFilter, JobList, JobOut, QueueOut, WorkerOut};
use crate::{
    Error, Noun, Result,
    page::{self, Listed, contains_pattern},
};

pub async fn list(pool: &PgPool, list: &JobList) -> Result<Listed<JobOut>> {
    page::list(pool, "taches", &["id"], &list.page, |query| push_where(query, &list.filter)).await
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
        query.push(
            " and (live or state in ('dead', 'cancelled')) and error is not null and error ilike ",
        );
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

pub(super) async fn find(db: impl PgExecutor<'_>, id: &str) -> Result<Job> {
    admin::find(db, id).await.map_err(not_found)
}

/// Finds and locks the job, so that neither a worker nor another operator changes it meanwhile.
pub(super) async fn find_for_update(tx: &mut PgConnection, id: &str) -> Result<Job> {
    admin::find_for_update(tx, id).await.map_err(not_found)
}

fn not_found(error: apalis_hot::Error) -> Error {
    match error {
        apalis_hot::Error::NotFound(_) => Error::NotFound(Noun::JOB),
        error => error.into(),
    }
}

/// Up to `limit` jobs of `filter` that `condition` holds for, locked; those that another transaction has locked are left out.
pub(super) async fn find_all_for_update(
    tx: &mut PgConnection,
    filter: &JobFilter,
    condition: &'static str,
    limit: i64,
) -> Result<Vec<Job>> {
    let mut query = QueryBuilder::new("select id from taches");
    push_where(&mut query, filter);
    query.push(" and ").push(condition).push(" order by id limit ").push_bind(limit);
    let ids: Vec<String> = query.build_query_scalar().fetch_all(&mut *tx).await?;
    // The rows of a view over two tables cannot be locked: the crate locks those of the tables, and the filter is applied again.
    let locked = admin::lock(tx, &ids).await?;
    let mut query = QueryBuilder::new("select id from taches");
    push_where(&mut query, filter);
    query
        .push(" and ")
        .push(condition)
        .push(" and id = any(")
        .push_bind(locked)
        .push(") order by id");
    let ids: Vec<String> = query.build_query_scalar().fetch_all(&mut *tx).await?;
    Ok(admin::find_all(tx, &ids).await?)
}

/// How many jobs of `filter` `condition` holds for, counted up to `limit`.
pub(super) async fn count(
    db: impl PgExecutor<'_>,
    filter: &JobFilter,
    condition: &'static str,
    limit: i64,
) -> Result<i64> {
    let mut query = QueryBuilder::new("select count(*) from (select from taches");
    push_where(&mut query, filter);
    query.push(" and ").push(condition).push(" limit ").push_bind(limit).push(") as counted");
    Ok(query.build_query_scalar().fetch_one(db).await?)
}

/// Every queue that is known, that has settings of an operator, or that has a job. Each count reads at most `most` rows.
pub(super) async fn queues(
    db: impl PgExecutor<'_>,
    known: &[String],
    most: i64,
) -> Result<Vec<QueueOut>> {
    let queues = admin::queues(db, known, most).await?.into_iter().map(|queue| QueueOut {
        paused: queue.paused_at.is_some(),
        paused_at: queue.paused_at,
        paused_by: queue.paused_by,
        concurrency: queue.concurrency,
        ready: queue.ready,
        scheduled: queue.scheduled,
        retrying: queue.retrying,
        running: queue.running,
        dead: queue.dead,
        oldest_ready_seconds: queue.oldest_ready_seconds,
        name: queue.name,
    });
    Ok(queues.collect())
}

/// Whether there is any job of this type.
pub(super) async fn has_jobs(db: &mut PgConnection, name: &str) -> Result<bool> {
    Ok(admin::has_jobs(db, name).await?)
}

pub(super) async fn pause(tx: &mut PgConnection, name: &str, by: i64) -> Result<()> {
    let by = sqlx::query_scalar!("select username from users where id = $1", by)
        .fetch_optional(&mut *tx)
        .await?;
    Ok(admin::pause(tx, name, by.as_deref().unwrap_or_default()).await?)
}

/// The worker processes that sent a heartbeat in the last day, latest first.
pub async fn workers(pool: &PgPool) -> Result<Vec<WorkerOut>> {
    let workers = admin::workers(pool).await?.into_iter().map(|worker| WorkerOut {
        id: worker.id,
        queues: worker.queues,
        started_at: Some(worker.started_at),
        last_seen: worker.last_seen,
        running: worker.running,
    });
    Ok(workers.collect())
}
