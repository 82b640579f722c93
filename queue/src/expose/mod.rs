//! What apalis's own tools ask of a backend: queues, workers, tasks, figures, results.
mod figures;
mod results;
mod tasks;

use apalis_core::backend::{ListQueues, ListWorkers, Metrics, QueueInfo, RunningWorker, Statistic};
use serde::de::DeserializeOwned;
use sqlx::PgPool;

use self::figures::{Figures, activity, statistics};
use crate::{Result, Storage};

/// One line for each queue of each process that was heard of in the last day and has not signed off; two hundred processes at
/// the most.
async fn workers(pool: &PgPool) -> Result<Vec<RunningWorker>> {
    let workers = sqlx::query!(
        r#"
            select id, queues, started_at, last_seen from queue.workers
            where last_seen > clock_timestamp() - interval '1 day' and signed_off_at is null
            order by last_seen desc limit 200
        "#
    );
    let second = |at: chrono::DateTime<chrono::Utc>| u64::try_from(at.timestamp()).unwrap_or(0);
    let workers = workers.fetch_all(pool).await?.into_iter();
    let lines = workers.flat_map(|worker| {
        let id = worker.id;
        worker.queues.into_iter().map(move |queue| RunningWorker {
            id: id.clone(),
            queue,
            backend: "apalis-hot".to_owned(),
            started_at: second(worker.started_at),
            last_heartbeat: second(worker.last_seen),
            layers: String::new(),
        })
    });
    Ok(lines.collect())
}

impl<Args: DeserializeOwned + Sync> ListQueues for Storage<Args> {
    /// This queue, those that have a job, live or ended, those that a worker serves, and those that operators have set
    /// something for.
    async fn list_queues(&self) -> Result<Vec<QueueInfo>> {
        let workers = workers(&self.pool).await?;
        let mut known = vec![self.queue.clone().into_owned()];
        known.extend(workers.iter().map(|worker| worker.queue.clone()));
        let all = Figures::of_all(&self.pool, known).await?;
        let names: Vec<_> = all.iter().map(|of| of.queue.name.clone()).collect();
        let mut days = activity(&self.pool, &names).await?;
        let infos = all.iter().map(|of| QueueInfo {
            stats: statistics(std::slice::from_ref(of)),
            workers: workers
                .iter()
                .filter(|worker| worker.queue == of.queue.name)
                .map(|worker| worker.id.clone())
                .collect(),
            activity: days.remove(&of.queue.name).unwrap_or_else(|| vec![0; 7]),
            name: of.queue.name.clone(),
        });
        Ok(infos.collect())
    }
}

impl<Args: DeserializeOwned + Sync> ListWorkers for Storage<Args> {
    async fn list_workers(&self) -> Result<Vec<RunningWorker>> {
        let all = self.list_all_workers().await?;
        Ok(all.into_iter().filter(|worker| worker.queue == *self.queue).collect())
    }

    async fn list_all_workers(&self) -> Result<Vec<RunningWorker>> {
        workers(&self.pool).await
    }
}

impl<Args: DeserializeOwned + Sync> Metrics for Storage<Args> {
    async fn global(&self) -> Result<Vec<Statistic>> {
        Ok(statistics(&Figures::of_all(&self.pool, Vec::new()).await?))
    }

    async fn fetch_by_queue(&self) -> Result<Vec<Statistic>> {
        Ok(statistics(&Figures::of(&self.pool, &self.queue).await?))
    }
}
