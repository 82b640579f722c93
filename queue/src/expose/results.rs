//! The results of jobs, for those that wait for them.
use std::{collections::HashSet, time::Duration};

use apalis_core::{
    backend::{Backend, TaskResult, WaitForCompletion},
    task::{status::Status, task_id::TaskId},
};
use futures_util::{StreamExt as _, stream::BoxStream};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgPool;

use crate::{Error, Result, Storage};

/// The pause between two looks at whether a job has ended.
const LOOK: Duration = Duration::from_millis(200);

/// The results of the jobs of `ids` that have ended.
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

    /// Yields each result when its job has ended; also waits for jobs that do not exist.
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
