//! The attempts that a process holds: each from its claim until its end is recorded.
use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Inner;
use crate::{Claimed, presence::Key};

/// A claimed job that has waited this long for a place is not begun: a process that was frozen may have lost it, and if the
/// queue has grown slow, other processes may have a place for it.
pub(crate) const WAITS: Duration = Duration::from_secs(2);
/// An attempt that was asked to stop and has not ended after this long is dropped.
const GRACE: Duration = Duration::from_secs(3);

/// An attempt that this process holds.
pub(crate) enum Held {
    /// Claimed at that time, and waiting for a place.
    Waiting(Instant),
    Running(Running),
    /// Ended; its end is still to be recorded.
    Ended,
}

/// The ways to stop an attempt.
pub(crate) struct Running {
    /// Asks it to end.
    pub(crate) cancel: CancellationToken,
    /// Drops it at once.
    pub(crate) task: AbortHandle,
    /// When it was first asked.
    pub(crate) asked: Option<Instant>,
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<Key, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn running(&self, act: impl Fn(&Running)) {
        for held in self.lock().values() {
            if let Held::Running(attempt) = held {
                act(attempt);
            }
        }
    }

    /// The attempts that this process holds.
    pub(super) fn attempts(&self) -> Vec<Key> {
        self.lock().keys().cloned().collect()
    }

    /// Asks an attempt that has lost its lease to stop. A later call drops it if it has not ended [`GRACE`] after the first.
    pub(crate) fn stop(&self, key: &Key) {
        let mut all = self.lock();
        match all.get_mut(key) {
            Some(Held::Running(attempt)) => {
                if attempt.asked.is_none() {
                    tracing::warn!(
                        job.id = key.0,
                        "stopped: cancelled, or given to another worker"
                    );
                }
                attempt.cancel.cancel();
                if attempt.asked.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                    attempt.task.abort();
                }
            }
            // It has not begun, and will not.
            Some(Held::Waiting(_)) => {
                all.remove(key);
            }
            Some(Held::Ended) | None => {}
        }
    }

    /// Holds claimed jobs that wait for a place.
    pub(crate) fn hold_waiting(&self, jobs: &[Claimed]) {
        let now = Instant::now();
        self.lock().extend(jobs.iter().map(|job| (job.key(), Held::Waiting(now))));
    }

    /// Whether a claimed job may begin: it was not taken away meanwhile, and has not waited for too long. If so, it is no
    /// longer one that waits, and the time that it has waited is returned.
    pub(crate) fn may_begin(&self, job: &Claimed) -> Option<Duration> {
        let mut all = self.lock();
        let key = job.key();
        let Some(Held::Waiting(since)) = all.get(&key) else { return None };
        let waited = since.elapsed();
        if waited >= WAITS {
            return None;
        }
        all.remove(&key);
        Some(waited)
    }

    /// The attempts that have waited too long for a place: they are not begun here any more, and are to be handed back.
    pub(super) fn waited_too_long(&self) -> Vec<Key> {
        let is_old = |held: &Held| matches!(held, Held::Waiting(since) if since.elapsed() >= WAITS);
        self.lock().iter().filter(|(_, held)| is_old(held)).map(|(key, _)| key.clone()).collect()
    }

    /// Holds a job whose end is still to be recorded.
    pub(crate) fn hold_ended(&self, job: &Claimed) {
        self.lock().insert(job.key(), Held::Ended);
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }
}
