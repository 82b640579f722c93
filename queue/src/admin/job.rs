//! Jobs one by one and in lists.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, PgConnection, PgExecutor, Postgres, QueryBuilder, types::Json};

use crate::{Error, Result};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum State {
    /// Due later.
    Scheduled,
    /// May be claimed by any worker.
    Ready,
    /// Held by a worker.
    Running,
    /// Failed, and waits for its next attempt.
    Retrying,
    Done,
    /// Given up.
    Dead,
    /// Called off by an operator.
    Cancelled,
}

impl State {
    /// As `queue.everything` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// The rows of `queue.everything` in this state, in terms that choose a table and know its index.
    #[must_use]
    pub fn condition(self) -> &'static str {
        match self {
            Self::Scheduled => "live and lock_free and run_at > now() and error is null",
            Self::Ready => "live and lock_free and run_at <= now()",
            Self::Running => "live and not lock_free",
            Self::Retrying => "live and lock_free and run_at > now() and error is not null",
            Self::Done => "not live and state = 'done'",
            Self::Dead => "not live and state = 'dead'",
            Self::Cancelled => "not live and state = 'cancelled'",
        }
    }
}

/// One attempt that ended. `outcome` is that of [`crate::Outcome`], or `handed_back` (its worker stopped), `lost` (its worker
/// died), `cancelled`, `redriven` (an operator had the job run again).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub attempt: i32,
    pub worker: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: DateTime<Utc>,
    pub outcome: String,
    pub error: Option<String>,
}

/// A job, live or ended.
#[derive(Debug, Clone, FromRow)]
pub struct Job {
    pub id: String,
    pub queue: String,
    pub state: State,
    /// When it is due, or was.
    pub run_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// Of the running attempt, or of the last.
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The process that holds it, or had it last.
    pub worker: Option<String>,
    /// Begun so far.
    pub attempts: i32,
    pub max_attempts: i32,
    pub rescues: i32,
    pub key: Option<String>,
    pub batch: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub progress: Option<f32>,
    pub progress_note: Option<String>,
    pub metadata: Option<Value>,
    history: Option<Json<Vec<Attempt>>>,
    pub payload: Vec<u8>,
}

impl Job {
    /// Its attempts that ended, oldest first; of those before the last the last hundred.
    #[must_use]
    pub fn history(&self) -> Vec<Attempt> {
        let mut history = self.history.clone().map(|Json(history)| history).unwrap_or_default();
        if let Some(ended_at) = self.ended_at {
            history.push(Attempt {
                attempt: self.attempts,
                worker: self.worker.clone(),
                started_at: self.started_at,
                ended_at,
                outcome: self.state.as_str().to_owned(),
                error: self.error.clone(),
            });
        }
        history
    }
}

/// Which jobs.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub queue: Option<String>,
    pub state: Option<State>,
    /// The least and the greatest id.
    pub from: Option<String>,
    pub to: Option<String>,
}

/// Jobs of `filter`, the latest first.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    limit: i64,
    offset: i64,
) -> Result<Vec<Job>> {
    list_in(db, filter, filter.state.as_slice(), limit, offset).await
}

/// The same, in any of `states`, whatever that of `filter`; in all for none.
pub(crate) async fn list_in(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    states: &[State],
    limit: i64,
    offset: i64,
) -> Result<Vec<Job>> {
    let mut query = QueryBuilder::<Postgres>::new("select * from queue.everything where true");
    if let Some(queue) = &filter.queue {
        query.push(" and queue = ").push_bind(queue);
    }
    if !states.is_empty() {
        let mut any = query.push(" and (").separated(" or ");
        for state in states {
            any.push(format_args!("({})", state.condition()));
        }
        query.push(")");
    }
    if let Some(from) = &filter.from {
        query.push(" and id >= ").push_bind(from);
    }
    if let Some(to) = &filter.to {
        query.push(" and id <= ").push_bind(to);
    }
    query.push(" order by id desc limit ").push_bind(limit).push(" offset ").push_bind(offset);
    Ok(query.build_query_as().fetch_all(db).await?)
}

/// One job.
pub async fn find(db: impl PgExecutor<'_>, id: &str) -> Result<Job> {
    let mut query = QueryBuilder::<Postgres>::new("select * from queue.everything where id = ");
    query.push_bind(id);
    query.build_query_as().fetch_optional(db).await?.ok_or(Error::NotFound("job"))
}

/// Those of `ids` that there are, by id.
pub async fn find_all(db: impl PgExecutor<'_>, ids: &[String]) -> Result<Vec<Job>> {
    let mut query = QueryBuilder::<Postgres>::new("select * from queue.everything where id = any(");
    query.push_bind(ids).push(") order by id");
    Ok(query.build_query_as().fetch_all(db).await?)
}

/// The same as [`find`], locked until the transaction ends: neither a worker nor another operator moves it meanwhile.
pub async fn find_for_update(db: &mut PgConnection, id: &str) -> Result<Job> {
    // A job that is just ending moves from the one table to the other: whoever misses it in the first finds it in the second.
    for _ in 0..2 {
        let live = sqlx::query!("select id from queue.jobs where id = $1 for update", id)
            .fetch_optional(&mut *db)
            .await?;
        if live.is_some() {
            break;
        }
        let ended = sqlx::query!("select id from queue.ended where id = $1 for update", id)
            .fetch_optional(&mut *db)
            .await?;
        if ended.is_some() {
            break;
        }
    }
    find(db, id).await
}

/// Makes a job ready, as if it had never run; its history stays, and the checkpoint of one that waits. One that waits, that died, or that was called off; of any
/// other nothing changes. Whether it did.
pub async fn redrive(db: &mut PgConnection, id: &str) -> Result<bool> {
    let live = sqlx::query!(
        r#"
            with ready as (
                update queue.jobs
                set attempts = 0, rescues = 0, outages = 0, outage_since = null, outage_of = null, error = null,
                    run_at = least(run_at, now()),
                    history = coalesce(history, '[]') || jsonb_build_object('attempt', attempts, 'worker', null,
                        'started_at', null, 'ended_at', clock_timestamp(), 'outcome', 'redriven', 'error', null)
                where id = $1 and lock_by is null and (run_at > now() or attempts > 0 or error is not null)
                returning queue
            )
            select pg_notify('queue', queue) from ready
        "#,
        id,
    )
    .fetch_optional(&mut *db)
    .await?;
    if live.is_some() {
        return Ok(true);
    }
    let back = sqlx::query!(
        r#"
            with gone as (
                delete from queue.ended where id = $1 and outcome in ('dead', 'cancelled') returning *
            ),
            -- A key that was freed meanwhile, and taken by another job, is that one's.
            keyed as (
                insert into queue.keys as k (queue, key, job) select queue, key, id from gone where key is not null
                on conflict (queue, key) do update set job = k.job where k.job = excluded.job
                returning key
            ),
            counted as (
                update queue.batches b
                set dead = dead - (g.outcome = 'dead')::integer, cancelled = cancelled - (g.outcome = 'cancelled')::integer
                from gone g where b.id = g.batch and b.ended_at is null
                returning b.id
            ),
            back as (
                insert into queue.jobs (id, queue, run_at, created_at, max_attempts, key, batch, metadata, payload, history)
                select id, queue,
                    -- The worker that ran it when it was cancelled needs a moment to see that, and to stop.
                    case when outcome = 'cancelled' and worker is not null
                        then greatest(now(), ended_at + interval '10 seconds') else now() end,
                    created_at, max_attempts, (select key from keyed), (select id from counted), metadata, payload,
                    coalesce(history, '[]')
                    || jsonb_build_object('attempt', attempts, 'worker', worker, 'started_at', started_at,
                        'ended_at', ended_at, 'outcome', outcome, 'error', error)
                    || jsonb_build_object('attempt', attempts, 'worker', null,
                        'started_at', null, 'ended_at', clock_timestamp(), 'outcome', 'redriven', 'error', null)
                from gone
                returning queue
            )
            select pg_notify('queue', queue) from back
        "#,
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(back.is_some())
}

/// Calls a live job off, for `reason`: it moves to the ledger. The worker that runs it is told within a second, and stops. Of a
/// job that has ended nothing changes. Whether it did.
pub async fn cancel(db: &mut PgConnection, id: &str, reason: &str) -> Result<bool> {
    let gone = sqlx::query!(
        r#"
            with gone as (delete from queue.jobs where id = $1 returning *),
            counted as (
                update queue.batches b set cancelled = b.cancelled + 1,
                    ended_at = case when closed_at is not null and b.done + b.dead + b.cancelled + 1 >= b.jobs
                        then clock_timestamp() end
                from gone g where b.id = g.batch and b.ended_at is null
                returning b.*
            ),
            followed as (
                insert into queue.jobs (id, queue, run_at, max_attempts, metadata, payload)
                select then_job, then_queue, clock_timestamp(), then_max_attempts,
                    coalesce(then_metadata, '{}') || jsonb_build_object('batch', id), then_payload
                from counted where ended_at is not null
            ),
            kept as (
                insert into queue.ended (id, queue, outcome, ended_at, started_at, worker, run_at, created_at, attempts,
                    max_attempts, rescues, key, batch, error, metadata, history, payload)
                select id, queue, 'cancelled', clock_timestamp(), lock_at, lock_by, run_at, created_at, attempts,
                    max_attempts, rescues, key, batch, $2, metadata, history, payload
                from gone
                returning worker
            )
            select case when worker is not null then pg_notify('queue', '!look')::text end as told from kept
        "#,
        id,
        reason,
    )
    .fetch_optional(db)
    .await?;
    Ok(gone.is_some())
}

/// Removes a job that has ended, and frees its key. Whether there was one.
pub async fn delete(db: &mut PgConnection, id: &str) -> Result<bool> {
    let gone = sqlx::query!(
        r#"
            with gone as (delete from queue.ended where id = $1 returning id, queue, key),
            freed as (
                delete from queue.keys k using gone
                where k.queue = gone.queue and k.key = gone.key and k.job = gone.id
            )
            select id from gone
        "#,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(gone.is_some())
}
