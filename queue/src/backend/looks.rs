//! Where in its queue a worker looks next.
use std::time::{Duration, Instant};

use crate::claim::Look;

/// No look comes more often than this many times as long as it takes (beside a snapshot that has been open for long a wide one is
/// slow, and nothing else is claimed meanwhile), nor more often than `OFTEN`, and at least once in `SELDOM`.
const COST: u32 = 200;
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_mins(1);
/// How long a look is thought to take before there was one.
const QUICK: Duration = Duration::from_millis(2);
/// What became due within these: what was enqueued lately, by a transaction that took no longer than that.
const WIDE: Duration = Duration::from_secs(10);
const NARROW: Duration = Duration::from_secs(1);

/// Of one worker: the wide looks, each as often as it may come. Between them it looks where it found the last jobs, or at what became due within the last second.
pub(super) struct Looks {
    /// Also jobs due earlier than the ones found last: their transaction took its time, or another process has handed them back.
    all: Paced,
    wide: Paced,
}

impl Looks {
    pub(super) fn new() -> Self {
        Self { all: Paced::new(), wide: Paced::new() }
    }

    /// Whether it is time to look at all jobs again.
    pub(super) fn all_is_due(&self) -> bool {
        self.all.is_due()
    }

    /// The look for what came lately, when there was nothing where the last jobs were found.
    pub(super) fn lately(&self) -> Look {
        Look::Within(if self.wide.is_due() { WIDE } else { NARROW })
    }

    /// How long until a look wider than the narrowest may come.
    pub(super) fn until_next(&self) -> Duration {
        self.all.again_at.min(self.wide.again_at).saturating_duration_since(Instant::now())
    }

    /// A look was answered after so long.
    pub(super) fn took(&mut self, look: Look, took: Duration) {
        match look {
            Look::All => {
                self.all.took(took);
                // It has seen what a wide one would have seen.
                self.wide.again_at = self.wide.again_at.max(Instant::now() + self.wide.pause());
            }
            Look::Within(WIDE) => self.wide.took(took),
            Look::From(_) | Look::Within(_) => (),
        }
    }

    /// A wide look was not answered in time: it is not repeated at once, so that narrower ones go on.
    pub(super) fn put_off(&mut self, look: Look) {
        match look {
            Look::All => self.all.again_at = Instant::now() + SELDOM,
            Look::Within(WIDE) => self.wide.again_at = Instant::now() + SELDOM,
            Look::From(_) | Look::Within(_) => (),
        }
    }
}

struct Paced {
    again_at: Instant,
    /// How long it takes lately; one that was held up by something else counts as twice the one before.
    takes: Duration,
}

impl Paced {
    fn new() -> Self {
        Self { again_at: Instant::now(), takes: QUICK }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.again_at
    }

    fn pause(&self) -> Duration {
        (self.takes * COST).clamp(OFTEN, SELDOM)
    }

    fn took(&mut self, took: Duration) {
        self.takes = took.min(self.takes.max(QUICK) * 2);
        self.again_at = Instant::now() + self.pause();
    }
}
