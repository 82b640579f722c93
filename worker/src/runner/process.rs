//! What this process runs at the moment.
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use erp_core::{Ctx, metrics};
use tokio::{sync::watch, task::AbortHandle};

use super::{
    Handler, attempt,
    recorder::{Record, Recorder},
    source::Held,
};

/// One worker process among its replicas.
pub(super) struct Process {
    /// Never that of another process, dead ones too.
    pub(super) name: String,
    /// Whether the database knows this process: it takes no job before.
    pub(super) known: watch::Sender<bool>,
    /// What runs, and what has ended and is not recorded yet (which has no handle).
    held: Mutex<Attempts>,
}

/// An attempt: its job, and when it was taken.
pub(super) type Key = (String, DateTime<Utc>);
type Attempts = HashMap<Key, Option<AbortHandle>>;

impl Process {
    pub(super) fn new(name: String) -> Self {
        Self { name, known: watch::Sender::new(false), held: Mutex::default() }
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
        let running = metrics::JOBS_RUNNING.with_label_values(&[handler.queue]);
        running.inc();
        #[expect(clippy::disallowed_methods, reason = "a job it is, with its row")]
        let task = tokio::spawn({
            let handler = handler.clone();
            async move {
                let ended = attempt::run(ctx, &handler, &job).await;
                (ended, job)
            }
        });
        self.lock().insert(key.clone(), Some(task.abort_handle()));
        let done = task.await;
        running.dec();
        match done {
            Ok((ended, job)) => {
                self.lock().insert(key, None);
                recorder.record(Record {
                    queue: handler.queue,
                    ended,
                    payload: job.payload,
                    abandon: handler.abandon,
                });
            }
            // Ours no longer: whoever took it away has said what becomes of it.
            Err(_aborted) => self.forget(&key),
        }
        drop(slot);
        Ok(())
    }

    /// The attempts that this process answers for.
    pub(super) fn attempts(&self) -> HashSet<Key> {
        self.lock().keys().cloned().collect()
    }

    /// Stops an attempt, if it still runs.
    pub(super) fn abort(&self, key: &Key) {
        if let Some(Some(task)) = self.lock().get(key) {
            task.abort();
            tracing::warn!(job.id = key.0, "stopped: cancelled, or given to another worker");
        }
    }

    /// Stops all that runs.
    pub(super) fn abort_all(&self) {
        self.lock().values().flatten().for_each(AbortHandle::abort);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
