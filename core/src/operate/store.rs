//! SQL of operators over the view `taches`.
use std::time::Duration;

use apalis_hot::admin::{self, Job};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};
use ulid::Ulid;

use super::{DeadGroup, JobFilter, JobList, JobOut, QueueOut, WorkerOut};
use crate::{
    Error, Noun, Result, catalogue,
    page::{self, Listed, Page, contains_pattern},
};

pub async fn list(pool: &PgPool, list: &JobList) -> Result<Listed<JobOut>> {
    let filter = Resolved::of(pool, &list.filter).await?;
    page::list(pool, "taches", &["id"], &list.page, |query| push_where(query, &filter)).await
}

/// The jobs of `filter` that `condition` holds for, at most as many as `page` has.
pub(super) async fn sample(
    pool: &PgPool,
    filter: &JobFilter,
    condition: &'static str,
    page: &Page,
) -> Result<Vec<JobOut>> {
    let filter = Resolved::of(pool, filter).await?;
    let found = page::list(pool, "taches", &["id"], page, |query| {
        push_where(query, &filter);
        query.push(" and ").push(condition);
    });
    Ok(found.await?.rows)
}

/// The jobs of `queues[i]` about `subjects[i]`, for each `i`, as their keys say: the newest, as many as `page` has.
pub(super) async fn of_subjects(
    pool: &PgPool,
    queues: &[String],
    subjects: &[String],
    page: &Page,
) -> Result<Vec<JobOut>> {
    let ids = admin::jobs_about(pool, queues, subjects, page.limit).await?;
    let found = page::list(pool, "taches", &["id"], page, |query| {
        query.push(" where id = any(").push_bind(ids.clone()).push(")");
    });
    Ok(found.await?.rows)
}

/// The error of a dead job without what is another in each: see [`DeadGroup`].
const ALIKE: &str = "left(regexp_replace(error, \
    '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\\m[0-9A-HJKMNP-TV-Z]{26}\\M|[0-9]+', '#', 'g'), 300)";

/// The groups of the latest `most` dead jobs, the greatest first, at most `groups`.
pub(super) async fn dead_groups(pool: &PgPool, most: i64, groups: i64) -> Result<Vec<DeadGroup>> {
    let mut query = QueryBuilder::new("select type, ");
    query.push(ALIKE).push(
        " as error, md5(").push(ALIKE).push(") as alike, count(*) as count, min(finished_at) as first_seen, max(finished_at) as last_seen from (\
         select type, coalesce(error, '') as error, finished_at from taches where not live and state = 'dead' order by id desc limit ",
    );
    query.push_bind(most).push(") latest group by 1, 2 order by count desc, last_seen desc limit ");
    Ok(query.push_bind(groups).build_query_as().fetch_all(pool).await?)
}

/// A filter, and the jobs that have its key.
struct Resolved<'a> {
    filter: &'a JobFilter,
    of_key: Option<Vec<String>>,
}

impl<'a> Resolved<'a> {
    async fn of(db: impl PgExecutor<'_>, filter: &'a JobFilter) -> Result<Self> {
        let of_key = match &filter.key {
            Some(key) => {
                let queues: Vec<_> =
                    catalogue::QUEUES.iter().map(|&queue| queue.to_owned()).collect();
                Some(admin::jobs_of_key(db, &queues, key).await?)
            }
            None => None,
        };
        Ok(Self { filter, of_key })
    }
}

/// How far around a request the jobs that it caused are looked for: they may cause others, and clocks differ.
const CAUSED_WITHIN: Duration = Duration::from_hours(24);

fn push_where(query: &mut QueryBuilder<Postgres>, Resolved { filter, of_key }: &Resolved<'_>) {
    query.push(" where true");
    if let Some(ids) = of_key {
        query.push(" and id = any(").push_bind(ids.clone()).push(")");
    }
    if let Some(error) = &filter.error_alike {
        query
            .push(" and not live and state = 'dead' and coalesce(md5(")
            .push(ALIKE)
            .push("), md5('')) = ");
        query.push_bind(error.clone());
    }
    if let Some(request) = &filter.request_id {
        query.push(" and request_id = ").push_bind(request.to_string());
        // They have their time: so do the ids of jobs, and only those of the days around it are read. The clock of a client may go wrong.
        if let Some(time) = request.get_timestamp().filter(|_| request.get_version_num() == 7) {
            let (seconds, nanos) = time.to_unix();
            let at = Duration::new(seconds, nanos);
            let ms = |at: Duration| u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
            query
                .push(" and id >= ")
                .push_bind(Ulid::from_parts(ms(at.saturating_sub(CAUSED_WITHIN)), 0).to_string());
            let last = Ulid::from_parts(ms(at.saturating_add(CAUSED_WITHIN)), u128::MAX);
            query.push(" and id <= ").push_bind(last.to_string());
        }
    }
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
    let filter = Resolved::of(&mut *tx, filter).await?;
    let mut query = QueryBuilder::new("select id from taches");
    push_where(&mut query, &filter);
    query.push(" and ").push(condition).push(" order by id limit ").push_bind(limit);
    let ids: Vec<String> = query.build_query_scalar().fetch_all(&mut *tx).await?;
    // The rows of a view over two tables cannot be locked: the crate locks those of the tables, and the filter is applied again.
    let locked = admin::lock(tx, &ids).await?;
    let mut query = QueryBuilder::new("select id from taches");
    push_where(&mut query, &filter);
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
    db: &mut PgConnection,
    filter: &JobFilter,
    condition: &'static str,
    limit: i64,
) -> Result<i64> {
    let filter = Resolved::of(&mut *db, filter).await?;
    let mut query = QueryBuilder::new("select count(*) from (select from taches");
    push_where(&mut query, &filter);
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
