//! Jobs as apalis sees them.
use std::{collections::BTreeMap, sync::Arc};

use apalis_core::{
    backend::{FetchById, Filter, ListAllTasks, ListTasks},
    task::{Task, status::Status, task_id::TaskId},
};
use serde::de::DeserializeOwned;
use sqlx::PgPool;

use crate::{
    Claimed, Error, Result, Storage,
    admin::{self, Job, State},
    backend::task,
};

/// The most jobs on a page.
const LONGEST_PAGE: u32 = 1_000;

fn status(state: State) -> Status {
    match state {
        State::Scheduled | State::Ready => Status::Pending,
        State::Running => Status::Running,
        State::Retrying => Status::Failed,
        State::Done => Status::Done,
        State::Dead | State::Cancelled => Status::Killed,
    }
}

fn states(status: &Status) -> &'static [State] {
    match status {
        Status::Pending => &[State::Ready, State::Scheduled],
        Status::Running => &[State::Running],
        Status::Done => &[State::Done],
        Status::Failed => &[State::Retrying],
        Status::Killed => &[State::Dead, State::Cancelled],
        // Queued: none. Jobs that are claimed and held ready count as running, because they begin at once.
        _ => &[],
    }
}

/// A job as apalis shows it.
fn shown(job: Job) -> Task<Vec<u8>> {
    let metadata: BTreeMap<String, String> =
        job.metadata.and_then(|metadata| serde_json::from_value(metadata).ok()).unwrap_or_default();
    let (state, worker) = (job.state, job.worker);
    let (locked, done) = (job.started_at, job.ended_at);
    let claimed = Claimed {
        id: job.id,
        queue: job.queue,
        payload: job.payload,
        attempt: job.attempts + 1,
        max_attempts: job.max_attempts,
        rescues: job.rescues,
        outages: 0,
        outage_since: None,
        key: job.key,
        batch: job.batch,
        metadata,
        checkpoint: None,
        run_at: job.run_at,
        waited: 0.0,
        since: job.created_at,
        probe: false,
    };
    let seconds = |at: Option<chrono::DateTime<chrono::Utc>>| {
        at.and_then(|at| u64::try_from(at.timestamp()).ok())
    };
    task(&Arc::new(claimed))
        .status(status(state))
        .lock_by(worker)
        .lock_at(seconds(locked))
        .done_at(seconds(done))
        .build()
}

/// One page of jobs, the latest first. Page 0 is the first page.
async fn tasks(
    pool: &PgPool,
    queue: Option<String>,
    filter: &Filter,
) -> Result<Vec<Task<Vec<u8>>>> {
    let limit = i64::from(filter.limit().min(LONGEST_PAGE));
    let offset = i64::from(filter.page.saturating_sub(1)) * limit;
    let states = filter.status.as_ref().map(states);
    if states.is_some_and(<[_]>::is_empty) {
        return Ok(Vec::new());
    }
    let of = admin::Filter { queue, ..admin::Filter::default() };
    let page = admin::list_in(pool, &of, states.unwrap_or_default(), limit, offset).await?;
    Ok(page.into_iter().map(shown).collect())
}

impl<Args: DeserializeOwned + Sync> ListTasks for Storage<Args> {
    async fn list_tasks(&self, filter: &Filter) -> Result<Vec<Task<Vec<u8>>>> {
        tasks(&self.pool, Some(self.queue.clone().into_owned()), filter).await
    }
}

impl<Args: DeserializeOwned + Sync> ListAllTasks for Storage<Args> {
    async fn list_all_tasks(&self, filter: &Filter) -> Result<Vec<Task<Vec<u8>>>> {
        tasks(&self.pool, None, filter).await
    }
}

impl<Args: DeserializeOwned + Sync> FetchById for Storage<Args> {
    /// A job of this queue; `None` for a job of another queue, whose payload is no `Args`.
    async fn fetch_by_id(&mut self, id: &TaskId) -> Result<Option<Task<Vec<u8>>>> {
        match admin::find(&self.pool, &id.to_string()).await {
            Ok(job) => Ok((job.queue == *self.queue).then(|| shown(job))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
