//! What apalis's own tools ask of a backend: queues, workers, tasks, figures, results.
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use apalis_core::{
    backend::{
        Backend, FetchById, Filter, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics,
        QueueInfo, RunningWorker, StatType, Statistic, TaskResult, WaitForCompletion,
    },
    task::{Task, status::Status, task_id::TaskId},
};
use futures_util::{StreamExt as _, stream::BoxStream};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgPool;

use crate::{
    Claimed, Error, Result, Storage,
    admin::{self, Job, State},
    backend::task,
};

/// Counts end here.
const MOST: i64 = 10_000;
/// Between two looks at whether a job has ended.
const LOOK: Duration = Duration::from_millis(200);

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
        // Nothing of ours is claimed and not running.
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

async fn tasks(
    pool: &PgPool,
    queue: Option<String>,
    filter: &Filter,
) -> Result<Vec<Task<Vec<u8>>>> {
    let (limit, mut offset) = (i64::from(filter.limit()), i64::from(filter.offset()));
    let states: Vec<Option<State>> = match &filter.status {
        Some(status) => states(status).iter().copied().map(Some).collect(),
        None => vec![None],
    };
    let mut found = Vec::new();
    for state in states {
        let of = admin::Filter { queue: queue.clone(), state, ..admin::Filter::default() };
        // A page over two states: those of the first, then those of the second.
        let left = limit - i64::try_from(found.len()).unwrap_or(limit);
        if left <= 0 {
            break;
        }
        let page = admin::list(pool, &of, left, offset).await?;
        offset = if page.is_empty() { (offset - count(pool, &of).await?).max(0) } else { 0 };
        found.extend(page.into_iter().map(shown));
    }
    Ok(found)
}

async fn count(pool: &PgPool, filter: &admin::Filter) -> Result<i64> {
    Ok(i64::try_from(admin::list(pool, filter, MOST, 0).await?.len()).unwrap_or(MOST))
}

fn number(title: &str, priority: u64, value: i64) -> Statistic {
    Statistic {
        title: title.to_owned(),
        stat_type: StatType::Number,
        value: value.to_string(),
        priority: Some(priority),
    }
}

fn statistics(queues: &[admin::Queue]) -> Vec<Statistic> {
    let sum = |of: fn(&admin::Queue) -> i64| queues.iter().map(of).sum();
    vec![
        number("RUNNING_JOBS", 1, sum(|q| q.running)),
        number("PENDING_JOBS", 1, sum(|q| q.ready + q.scheduled)),
        number("FAILED_JOBS", 1, sum(|q| q.retrying)),
        number("KILLED_JOBS", 2, sum(|q| q.dead)),
    ]
}

impl<Args: DeserializeOwned + Sync> ListQueues for Storage<Args> {
    async fn list_queues(&self) -> Result<Vec<QueueInfo>> {
        let known = [self.queue.clone().into_owned()];
        let queues = admin::queues(&self.pool, &known, MOST).await?;
        let workers = admin::workers(&self.pool).await?;
        let days = sqlx::query!(
            r#"
                select queue, floor(extract(epoch from clock_timestamp() - ended_at) / 86400)::integer as "ago!", count(*) as "jobs!"
                from queue.ended where outcome = 'done' and ended_at >= clock_timestamp() - interval '168 hours' group by 1, 2
            "#
        )
        .fetch_all(&self.pool)
        .await?;
        let infos = queues.iter().map(|queue| QueueInfo {
            stats: statistics(std::slice::from_ref(queue)),
            workers: workers
                .iter()
                .filter(|worker| worker.queues.contains(&queue.name))
                .map(|worker| worker.id.clone())
                .collect(),
            activity: (0..7)
                .rev()
                .map(|ago| {
                    let day = days.iter().find(|day| day.queue == queue.name && day.ago == ago);
                    day.map_or(0, |day| usize::try_from(day.jobs).unwrap_or(0))
                })
                .collect(),
            name: queue.name.clone(),
        });
        Ok(infos.collect())
    }
}

impl<Args: DeserializeOwned + Sync> ListWorkers for Storage<Args> {
    async fn list_workers(&self) -> Result<Vec<RunningWorker>> {
        let all = self.list_all_workers().await?;
        Ok(all.into_iter().filter(|worker| worker.queue == *self.queue).collect())
    }

    /// One line for each process and queue.
    async fn list_all_workers(&self) -> Result<Vec<RunningWorker>> {
        let second = |at: chrono::DateTime<chrono::Utc>| u64::try_from(at.timestamp()).unwrap_or(0);
        let workers = admin::workers(&self.pool).await?;
        let lines = workers.iter().flat_map(|worker| {
            worker.queues.iter().map(move |queue| RunningWorker {
                id: worker.id.clone(),
                queue: queue.clone(),
                backend: "apalis-hot".to_owned(),
                started_at: second(worker.started_at),
                last_heartbeat: second(worker.last_seen),
                layers: String::new(),
            })
        });
        Ok(lines.collect())
    }
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

impl<Args: DeserializeOwned + Sync> Metrics for Storage<Args> {
    async fn global(&self) -> Result<Vec<Statistic>> {
        Ok(statistics(&admin::queues(&self.pool, &[], MOST).await?))
    }

    async fn fetch_by_queue(&self) -> Result<Vec<Statistic>> {
        let queues = admin::queues(&self.pool, &[], MOST).await?;
        let own: Vec<_> = queues.into_iter().filter(|queue| queue.name == *self.queue).collect();
        Ok(statistics(&own))
    }
}

impl<Args: DeserializeOwned + Sync> FetchById for Storage<Args> {
    async fn fetch_by_id(&mut self, id: &TaskId) -> Result<Option<Task<Vec<u8>>>> {
        match admin::find(&self.pool, &id.to_string()).await {
            Ok(job) => Ok(Some(shown(job))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What became of the jobs of `ids` that have ended.
async fn results<O: DeserializeOwned>(
    pool: &PgPool,
    ids: &[String],
) -> Result<Vec<(String, TaskResult<O>)>> {
    let rows = sqlx::query!(
        "select id, outcome, attempts, error, result from queue.ended where id = any($1)",
        ids
    )
    .fetch_all(pool)
    .await?;
    let results = rows.into_iter().map(|row| {
        let done = row.outcome == "done";
        let result = if done {
            serde_json::from_value(row.result.unwrap_or(Value::Null)).map_err(|e| e.to_string())
        } else {
            Err(row.error.unwrap_or_default())
        };
        let result = TaskResult {
            task_id: TaskId::from_string(row.id.clone()),
            attempt: usize::try_from(row.attempts).unwrap_or(0),
            status: if done { Status::Done } else { Status::Killed },
            result,
        };
        (row.id, result)
    });
    Ok(results.collect())
}

impl<O, Args> WaitForCompletion<O> for Storage<Args>
where
    O: DeserializeOwned + Send + 'static,
    Self: Backend<Error = Error>,
{
    type ResultStream = BoxStream<'static, Result<TaskResult<O>>>;

    /// Each when it has ended; waits for those that are not there, too.
    fn wait_for(&mut self, ids: impl IntoIterator<Item = TaskId>) -> Self::ResultStream {
        let ids: HashSet<String> = ids.into_iter().map(|id| id.to_string()).collect();
        let pool = self.pool.clone();
        let stream = futures_util::stream::unfold(ids, move |mut ids| {
            let pool = pool.clone();
            async move {
                while !ids.is_empty() {
                    let list: Vec<_> = ids.iter().cloned().collect();
                    let found = match results::<O>(&pool, &list).await {
                        Ok(found) if found.is_empty() => {
                            tokio::time::sleep(LOOK).await;
                            continue;
                        }
                        Ok(found) => found,
                        Err(error) => return Some((vec![Err(error)], HashSet::new())),
                    };
                    ids.retain(|id| found.iter().all(|(ended, _)| ended != id));
                    return Some((found.into_iter().map(|(_, result)| Ok(result)).collect(), ids));
                }
                None
            }
        });
        stream.map(futures_util::stream::iter).flatten().boxed()
    }

    async fn check_status(
        &mut self,
        ids: impl IntoIterator<Item = TaskId> + Send,
    ) -> Result<Vec<TaskResult<O>>> {
        let ids: Vec<_> = ids.into_iter().map(|id| id.to_string()).collect();
        Ok(results(&self.pool, &ids).await?.into_iter().map(|(_, result)| result).collect())
    }
}
