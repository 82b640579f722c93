//! The attempts that a process answers for: each from its claim until its end is recorded.
use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::Inner;
use crate::{Claimed, presence::Key};

/// A claimed job that has not found a place for so long is not begun: a process that was frozen may have lost it, and of a queue
/// that has grown slow others may have a place for it.
pub(crate) const WAITS: Duration = Duration::from_secs(2);
/// What does not look whether it is asked to stop is dropped after so long.
const GRACE: Duration = Duration::from_secs(3);

/// An attempt that this process answers for.
pub(crate) enum Held {
    /// Claimed at that time, and waiting for a place.
    Waiting(Instant),
    Running(Running),
    /// Only its end is to be recorded.
    Ended,
}

/// The ways to stop an attempt.
pub(crate) struct Running {
    /// Asks it to come to an end.
    pub(crate) cancel: CancellationToken,
    /// Drops it where it stands.
    pub(crate) task: AbortHandle,
    /// Since when it has been asked.
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

    /// The attempts that this process answers for.
    pub(super) fn attempts(&self) -> Vec<Key> {
        self.lock().keys().cloned().collect()
    }

    /// Asks an attempt to stop, and drops it when it has not come to its end a few seconds later. It can write nothing any
    /// more: its lease is lost.
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
            // It has not begun, and now never does.
            Some(Held::Waiting(_)) => {
                all.remove(key);
            }
            Some(Held::Ended) | None => {}
        }
    }

    /// Answers for jobs that were claimed and wait for a place.
    pub(crate) fn hold_waiting(&self, jobs: &[Claimed]) {
        let now = Instant::now();
        self.lock().extend(jobs.iter().map(|job| (job.key(), Held::Waiting(now))));
    }

    /// How long a job that was claimed has waited for its place, if it may begin: it was not taken away meanwhile, and has not
    /// waited for too long.
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

    /// Those that have waited for a place for too long: they are not begun here any more, and are to be handed back.
    pub(super) fn waited_too_long(&self) -> Vec<Key> {
        let is_old = |held: &Held| matches!(held, Held::Waiting(since) if since.elapsed() >= WAITS);
        self.lock().iter().filter(|(_, held)| is_old(held)).map(|(key, _)| key.clone()).collect()
    }

    /// Answers for a job whose end is only to be recorded.
    pub(crate) fn hold_ended(&self, job: &Claimed) {
        self.lock().insert(job.key(), Held::Ended);
    }

    pub(crate) fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }
}
