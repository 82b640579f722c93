//! The places of a queue in one process: so many attempts run at once, a number that may change meanwhile.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::sync::Notify;

#[derive(Debug, Clone)]
pub(crate) struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: AtomicUsize,
    used: AtomicUsize,
    freed: Notify,
}

/// A place, given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot(Slots);

impl Slots {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            limit: AtomicUsize::new(limit.max(1)),
            used: AtomicUsize::new(0),
            freed: Notify::new(),
        }))
    }

    /// Fewer places: what runs goes on, and no other begins until there is one again.
    pub(crate) fn set_limit(&self, limit: usize) {
        if self.0.limit.swap(limit.max(1), SeqCst) != limit.max(1) {
            self.0.freed.notify_waiters();
            self.0.freed.notify_one();
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.0.limit.load(SeqCst)
    }

    pub(crate) fn free(&self) -> usize {
        self.limit().saturating_sub(self.0.used.load(SeqCst))
    }

    /// Only one asks for places, so that those free now stay free until it takes them.
    pub(crate) fn take(&self) -> Slot {
        self.0.used.fetch_add(1, SeqCst);
        Slot(self.clone())
    }

    /// Resolves when at least `count` places are free (all there are, if those are fewer).
    pub(crate) async fn wait_for(&self, count: usize) {
        loop {
            let freed = self.0.freed.notified();
            if self.free() >= count.min(self.limit()) {
                return;
            }
            freed.await;
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Slot(Slots(inner)) = self;
        inner.used.fetch_sub(1, SeqCst);
        inner.freed.notify_one();
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
        slots.set_limit(1);
        assert_eq!(slots.free(), 0, "three are used, one may be");
        drop(second);
        assert_eq!(slots.free(), 0);
    }
}
