//! What this process runs at the moment.
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use erp_core::{
    Ctx,
    jobs::{Lease, life::Ended},
    metrics,
};
use sqlx::PgPool;
use tokio::{sync::watch, task::AbortHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Breakers, Handler, attempt,
    recorder::{Record, Recorder},
    source::Held,
};

/// One worker process among its replicas.
pub(super) struct Process {
    /// Never that of another process, dead ones too.
    pub(super) name: String,
    /// Whether the database knows this process: it takes no job before.
    pub(super) known: watch::Sender<bool>,
    pub(super) breakers: Arc<Breakers>,
    /// What runs, and what has ended and is not recorded yet (which has no handle).
    held: Mutex<Attempts>,
}

/// An attempt: its job, and when it was taken.
pub(super) type Key = (String, DateTime<Utc>);
type Attempts = HashMap<Key, Option<Running>>;

/// The ways to stop an attempt.
struct Running {
    /// Asks it to come to an end.
    cancel: CancellationToken,
    /// Drops it where it stands.
    task: AbortHandle,
    /// Since when it has been asked.
    asked: Option<Instant>,
}

/// What does not look whether it is asked to stop is dropped after so long.
const GRACE: Duration = Duration::from_secs(3);

impl Process {
    pub(super) fn new(name: String, pool: PgPool) -> Self {
        let breakers = Arc::new(Breakers::new(pool, name.clone()));
        Self { name, known: watch::Sender::new(false), breakers, held: Mutex::default() }
    }

    /// Runs one attempt, in a task of its own: it has its own turn of the threads, and can be stopped from outside.
    pub(super) async fn run(
        self: Arc<Self>,
        ctx: Ctx,
        handler: Handler,
        held: Held,
        recorder: Recorder,
    ) -> Result<(), Infallible> {
        let Held { job, slot } = held;
        let key = (job.id.clone(), job.since);
        let lease = Lease::new(job.id.clone(), job.attempt, job.since, handler.timeout);
        let cancel = lease.cancel.clone();
        let probe = job.probe;
        if probe {
            self.breakers.hold(&job.id);
        }
        let running = metrics::JOBS_RUNNING.with_label_values(&[handler.queue]);
        running.inc();
        let stale = Ended::stale(&job);
        let payload = job.payload.clone();
        #[expect(clippy::disallowed_methods, reason = "a job it is, with its row")]
        let task = tokio::spawn({
            let (handler, breakers) = (handler.clone(), self.breakers.clone());
            async move { attempt::run(ctx, &handler, &job, lease, breakers).await }
        });
        let attempt = Running { cancel, task: task.abort_handle(), asked: None };
        self.lock().insert(key.clone(), Some(attempt));
        let done = task.await;
        running.dec();
        // Before the job may be taken again, perhaps as a probe once more.
        if probe {
            self.breakers.release(&key.0).await;
        }
        self.lock().insert(key, None);
        recorder.record(Record {
            queue: handler.queue,
            // One that was dropped is ours no longer: whoever took it away has said what becomes of it.
            ended: done.unwrap_or(stale),
            payload,
            abandon: handler.abandon,
            undo: handler.undo,
        });
        drop(slot);
        Ok(())
    }

    /// The attempts that this process answers for.
    pub(super) fn attempts(&self) -> HashSet<Key> {
        self.lock().keys().cloned().collect()
    }

    /// Asks an attempt to stop, and drops it when it has not come to its end a few seconds later. It can write nothing any
    /// more: its lease is lost.
    pub(super) fn stop(&self, key: &Key) {
        if let Some(Some(attempt)) = self.lock().get_mut(key) {
            if attempt.asked.is_none() {
                tracing::warn!(job.id = key.0, "stopped: cancelled, or given to another worker");
            }
            attempt.cancel.cancel();
            if attempt.asked.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                attempt.task.abort();
            }
        }
    }

    /// Asks all that runs to come to an end.
    pub(super) fn wind_down(&self) {
        self.lock().values().flatten().for_each(|attempt| attempt.cancel.cancel());
    }

    /// Drops all that runs.
    pub(super) fn abort_all(&self) {
        self.lock().values().flatten().for_each(|attempt| attempt.task.abort());
    }

    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
