//! Searches for ready jobs at which a worker's claims do not look, beside these claims.
use std::{
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio_util::task::AbortOnDropHandle;

use super::{CLAIM_LIMIT, looks::Looks, was_too_slow};
use crate::{
    Process, Result,
    older::{Older, older},
    process::Lane,
};

/// What was found, and how long the statement took; `None` if the database did not answer in time.
type Answer = Option<Result<(Option<Older>, Duration)>>;

/// The search of one worker. No claim waits for it, and it takes no connection from the pool: beside a snapshot that has been
/// open for long it reads as many dead versions of rows as jobs were done since, and takes a second where a claim takes
/// milliseconds.
#[derive(Default)]
pub(super) struct Search(Option<Running>);

struct Running {
    /// A task, so that it also goes on, and frees the connection, while nobody polls the worker.
    answer: AbortOnDropHandle<Answer>,
    /// Whether it searches for jobs due at any time.
    everything: bool,
    queue: Arc<Lane>,
}

impl Search {
    /// Begins to search for jobs of this queue that were due before `before`, or for all.
    pub(super) fn begin(
        &mut self,
        process: &Process,
        lane: &Arc<Lane>,
        before: Option<DateTime<Utc>>,
    ) {
        let (process, queue) = (process.clone(), lane.clone());
        let work = async move {
            // One at a time in a process.
            let mut reserved = process.0.searches.lock().await;
            let search = async {
                let mut db = reserved.pool().acquire().await?;
                let begun = Instant::now();
                let found = older(&mut db, &queue.options.queue, before).await?;
                Ok((found, begun.elapsed()))
            };
            let answer = tokio::time::timeout(CLAIM_LIMIT, search).await.ok();
            if !matches!(answer, Some(Ok(_))) {
                reserved.renew();
            }
            answer
        };
        #[expect(clippy::disallowed_methods, reason = "a look, which the next one repeats")]
        let task = tokio::spawn(work);
        let answer = AbortOnDropHandle::new(task);
        self.0 = Some(Running { answer, everything: before.is_none(), queue: lane.clone() });
    }

    pub(super) fn runs(&self) -> bool {
        self.0.is_some()
    }

    /// Resolves when a search has ended, with what it has found; never if there is none.
    pub(super) fn poll(&mut self, looks: &mut Looks, cx: &mut Context<'_>) -> Poll<Option<Older>> {
        let Some(running) = &mut self.0 else { return Poll::Pending };
        // A task that panicked counts as one that did not answer.
        let answer = ready!(running.answer.poll_unpin(cx)).unwrap_or_default();
        let queue = &*running.queue.options.queue;
        let found = match answer {
            Some(Ok((found, took))) => {
                looks.all_took(took, running.everything);
                found
            }
            failed => {
                let error = failed.and_then(Result::err);
                if was_too_slow("no older jobs searched for", queue, error) {
                    looks.all_was_late();
                } else {
                    looks.all_failed();
                }
                None
            }
        };
        self.0 = None;
        Poll::Ready(found)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use erp_dev::TestDb;

    use super::*;
    use crate::{NewJob, Options, Settings, backend::pull::Pull, enqueue};

    const QUEUE: &str = "probes";

    /// Enqueues a job that was due so many seconds ago.
    async fn due(db: &TestDb, seconds: f64) -> String {
        let mut connection = db.pool.acquire().await.unwrap();
        let job = NewJob::new(QUEUE, &1).unwrap();
        let id = enqueue(&mut connection, &job).await.unwrap().unwrap();
        sqlx::query!(
            "update queue.jobs set run_at = now() - make_interval(secs => $2) where id = $1",
            id,
            seconds,
        )
        .execute(&mut *connection)
        .await
        .unwrap();
        id
    }

    #[tokio::test]
    async fn a_search_that_takes_long_keeps_no_new_job_waiting() {
        let db = TestDb::new().await;
        let process = Process::new(&db.pool, Settings::new("one"));
        let (_, lane) = process.storage::<i32>(Options::new(QUEUE)).worker.unwrap();
        process.0.known.send_replace(true);
        let mut pull = Pull::new(&process, &lane);
        let old = due(&db, 3600.0).await;

        // As while another search of this process takes long.
        let slow = process.0.searches.lock().await;
        let new = due(&db, 0.0).await;
        let first = poll_fn(|cx| pull.poll(cx)).await;
        assert_eq!(first.id, new);
        drop(slow);
        let second = poll_fn(|cx| pull.poll(cx)).await;
        assert_eq!(second.id, old);
    }
}
