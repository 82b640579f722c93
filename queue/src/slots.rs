//! The places of a queue in one process: how many attempts run at once, a number that may change at run time.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Inner>);

#[derive(Debug, Default)]
pub(crate) struct Inner {
    limit: AtomicUsize,
    used: AtomicUsize,
    /// Jobs that are claimed and have no place yet.
    waiting: AtomicUsize,
    /// Attempts that have ended and are not recorded yet.
    unrecorded: AtomicUsize,
    /// Running jobs whose earlier workers died running them.
    suspects: AtomicUsize,
    /// Notified when one of these counts falls, or the limit changes.
    changed: Notify,
}

/// While this many ended attempts of a queue are not recorded, no more of it is claimed: if the process were killed, all of
/// them would run again.
const MOST_UNRECORDED: usize = 1000;

/// Keeps one of the counts raised by one until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    slots: Slots,
    count: fn(&Inner) -> &AtomicUsize,
}

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { limit: AtomicUsize::new(limit.max(1)), ..Inner::default() }))
    }

    /// Sets the number of places. If there are fewer, running attempts go on, and none begins until a place is free.
    pub(crate) fn set_limit(&self, limit: usize) {
        if self.0.limit.swap(limit.max(1), SeqCst) != limit.max(1) {
            self.0.changed.notify_waiters();
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.0.limit.load(SeqCst)
    }

    pub(crate) fn free(&self) -> usize {
        self.limit().saturating_sub(self.0.used.load(SeqCst))
    }

    /// How many more jobs may be claimed, if `ahead` of them may wait for a place; 0 while too many ended attempts are not
    /// recorded.
    pub(crate) fn room(&self, ahead: usize) -> usize {
        if self.0.unrecorded.load(SeqCst) >= MOST_UNRECORDED {
            return 0;
        }
        (self.free() + ahead).saturating_sub(self.0.waiting.load(SeqCst))
    }

    /// Takes a place. Only one task takes places, so that a place that is free stays free until it is taken.
    pub(crate) fn take(&self) -> Counted {
        self.count(|inner| &inner.used)
    }

    /// Counts a claimed job that waits for a place.
    pub(crate) fn waiting(&self) -> Counted {
        self.count(|inner| &inner.waiting)
    }

    /// Counts an ended attempt that is to be recorded.
    pub(crate) fn unrecorded(&self) -> Counted {
        self.count(|inner| &inner.unrecorded)
    }

    /// Counts a running job whose earlier workers died.
    pub(crate) fn suspect(&self) -> Counted {
        self.count(|inner| &inner.suspects)
    }

    /// Whether a job runs whose earlier workers died.
    pub(crate) fn runs_suspects(&self) -> bool {
        self.0.suspects.load(SeqCst) > 0
    }

    fn count(&self, count: fn(&Inner) -> &AtomicUsize) -> Counted {
        count(&self.0).fetch_add(1, SeqCst);
        Counted { slots: self.clone(), count }
    }

    /// Resolves when at least `count` places are free (or all places, if there are fewer).
    pub(crate) async fn wait_for(&self, count: usize) {
        self.wait_until(|slots| slots.free() >= count.min(slots.limit())).await;
    }

    /// Resolves when `is_so` holds; checks it now, and whenever a count falls or the limit changes.
    pub(crate) async fn wait_until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            // Receives notifications from here on, also before it is awaited: none is missed.
            let changed = self.0.changed.notified();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.count)(&self.slots.0).fetch_sub(1, SeqCst);
        self.slots.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_there_again_when_it_is_given_back_or_when_there_are_more() {
        let slots = Slots::new(2);
        let first = slots.take();
        let second = slots.take();
        assert_eq!(slots.free(), 0);
        let mut waiting = Box::pin(slots.wait_for(1));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        waiting.await;

        let _third = slots.take();
        slots.set_limit(3);
        slots.wait_for(1).await;
        assert_eq!(slots.free(), 1);
        let ended: Vec<_> = (0..MOST_UNRECORDED).map(|_| slots.unrecorded()).collect();
        assert_eq!(slots.room(5), 0, "the database is to catch up");
        drop(ended);
        assert_eq!(slots.room(5), 6);
        let waiting: Vec<_> = (0..4).map(|_| slots.waiting()).collect();
        assert_eq!(slots.room(5), 2);
        drop(waiting);
        assert_eq!(slots.room(5), 6);
        slots.set_limit(1);
        assert_eq!(slots.free(), 0, "three are used, one may be");
        drop(second);
        assert_eq!(slots.free(), 0);
    }
}
