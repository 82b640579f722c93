//! Jobs as operators see them, one by one and in lists.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{FromRow, PgExecutor, Postgres, QueryBuilder, types::Json};

use crate::{Error, Result};

/// The state of a job.
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
    /// Failed, and not tried again.
    Dead,
    /// Stopped by an operator, with [`super::cancel`].
    Cancelled,
}

impl State {
    /// The name of the state in `queue.everything`.
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

    /// The SQL condition for the rows of `queue.everything` in this state, such that only one table is read, by its index.
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
    /// When it is or was due.
    pub run_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    /// When the running attempt began, or the last one.
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// The process that holds it, or had it last.
    pub worker: Option<String>,
    /// Attempts begun so far.
    pub attempts: i32,
    pub max_attempts: i32,
    pub rescues: i32,
    pub key: Option<String>,
    pub batch: Option<String>,
    /// Why the last attempt failed, or the job was cancelled.
    pub error: Option<String>,
    pub progress: Option<f32>,
    pub progress_note: Option<String>,
    pub metadata: Option<Value>,
    history: Option<Json<Vec<Attempt>>>,
    pub payload: Vec<u8>,
}

impl Job {
    /// Its ended attempts, oldest first: the last hundred, and the one that ended the job.
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

/// Which jobs; `None` is no condition.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub queue: Option<String>,
    pub state: Option<State>,
    /// The least and the greatest id.
    pub from: Option<String>,
    pub to: Option<String>,
}

/// The jobs that match `filter`, the latest first.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    limit: i64,
    offset: i64,
) -> Result<Vec<Job>> {
    list_in(db, filter, filter.state.as_slice(), limit, offset).await
}

/// The same in any of `states` (in all, if there are none) instead of that of `filter`.
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

/// The job of this id.
pub async fn find(db: impl PgExecutor<'_>, id: &str) -> Result<Job> {
    let mut query = QueryBuilder::<Postgres>::new("select * from queue.everything where id = ");
    query.push_bind(id);
    query.build_query_as().fetch_optional(db).await?.ok_or(Error::NotFound("job"))
}

/// The jobs of `ids` that exist, in the order of their ids.
pub async fn find_all(db: impl PgExecutor<'_>, ids: &[String]) -> Result<Vec<Job>> {
    let mut query = QueryBuilder::<Postgres>::new("select * from queue.everything where id = any(");
    query.push_bind(ids).push(") order by id");
    Ok(query.build_query_as().fetch_all(db).await?)
}

/// Whether there is any job of `queue`, live or ended.
pub async fn has_jobs(db: impl PgExecutor<'_>, queue: &str) -> Result<bool> {
    let there = sqlx::query_scalar!(
        r#"select exists (select from queue.everything where queue = $1) as "it!""#,
        queue
    );
    Ok(there.fetch_one(db).await?)
}

/// The ids of the jobs of `queues` that have taken `key`, or had, as long as it is not forgotten.
pub async fn jobs_of_key(
    db: impl PgExecutor<'_>,
    queues: &[String],
    key: &str,
) -> Result<Vec<String>> {
    let ids = sqlx::query_scalar!(
        "select job from queue.keys where queue = any($1) and key = $2 limit 1000",
        queues,
        key
    );
    Ok(ids.fetch_all(db).await?)
}

/// The ids of the jobs of `queues[i]` whose key is `subjects[i]`, or begins with it and a colon, for each `i`, as long as their keys
/// are not forgotten: the latest, `most` at the most, a hundred of them with longer keys of one subject.
pub async fn jobs_about(
    db: impl PgExecutor<'_>,
    queues: &[String],
    subjects: &[String],
    most: i64,
) -> Result<Vec<String>> {
    let ids = sqlx::query_scalar!(
        r#"
            select k.job as "job!" from unnest($1::text[], $2::text[]) as s (queue, subject)
            cross join lateral (
                select job from queue.keys where queue = s.queue and key = s.subject
                union all
                (select job from queue.keys
                where queue = s.queue and key > (s.subject || ':') collate "C" and key < (s.subject || ';') collate "C"
                order by job desc limit 100)
            ) as k
            order by k.job desc limit $3
        "#,
        queues,
        subjects,
        most,
    );
    Ok(ids.fetch_all(db).await?)
}
