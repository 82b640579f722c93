//! Decides where in its queue a worker looks next, and when it may look widely.
use std::time::{Duration, Instant};

use crate::claim::Look;

/// A wide look is repeated after this many times as long as it takes (beside a snapshot that has been open for long it is
/// slow), but not more often than `OFTEN`, and at least once in `SELDOM`.
const COST: u32 = 200;
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_mins(1);
/// How long a look is assumed to take before the first.
const QUICK: Duration = Duration::from_millis(2);
/// The estimate of how long a look takes grows by at most this factor at each, since one may have been held up by something else.
const GROWTH: u32 = 8;
/// The pause after a wide look that was not answered in time; twice as long after each further one, up to `SELDOM`.
const LATE: Duration = Duration::from_secs(5);
/// The looks for recent jobs find those that became due within at least these times: enqueued by a transaction that took no longer.
const WIDE: Duration = Duration::from_secs(10);
const NARROW: Duration = Duration::from_secs(1);

/// When the wide looks of one worker are due. Between them it looks where it found the last jobs, or at what became due within
/// the last second.
pub(super) struct Looks {
    narrow: Duration,
    wide: Duration,
    /// The search for all jobs, which runs beside the claims. It also finds jobs due earlier than those found last: of a slow
    /// transaction, or handed back by another process.
    all: Paced,
    /// The look at what became due within `wide`.
    recent: Paced,
}

impl Looks {
    /// Of a worker that looks at least every `poll`. Even a narrow look goes back further than that, so that it finds what has
    /// become due since the look before.
    pub(super) fn new(poll: Duration) -> Self {
        let narrow = NARROW.max(poll * 2);
        Self { narrow, wide: WIDE.max(narrow * 2), all: Paced::new(), recent: Paced::new() }
    }

    /// Whether it is time to search for all jobs again. If so, the caller begins the search: none is due until it has ended, or
    /// for `SELDOM`.
    pub(super) fn begin_all(&mut self) -> bool {
        let due = self.all.is_due();
        if due {
            self.all.again_at = Instant::now() + SELDOM;
        }
        due
    }

    /// Notes that the search was answered after `took`. It was for jobs due at any time (`everything`), or for those due before
    /// the claimed ones.
    pub(super) fn all_took(&mut self, took: Duration, everything: bool) {
        self.all.took(took);
        if everything {
            // It has seen what a wide look would have seen.
            self.recent.again_at = self.recent.again_at.max(Instant::now() + self.recent.pause());
        }
    }

    pub(super) fn all_was_late(&mut self) {
        self.all.was_late();
    }

    pub(super) fn all_failed(&mut self) {
        self.all.again_at = Instant::now() + OFTEN;
    }

    /// The look for recent jobs, when there was none where the last jobs were found.
    pub(super) fn lately(&self) -> Look {
        Look::Within(if self.recent.is_due() { self.wide } else { self.narrow })
    }

    /// How long until a wide look is due.
    pub(super) fn until_next(&self) -> Duration {
        self.all.again_at.min(self.recent.again_at).saturating_duration_since(Instant::now())
    }

    /// Notes that `look` was answered after `took`.
    pub(super) fn took(&mut self, look: Look, took: Duration) {
        if self.is_wide(look) {
            self.recent.took(took);
        }
    }

    /// Notes that `look` was not answered in time. After a wide one the next wide one is put off, so that narrow ones go on. A narrow
    /// one is cheap: if it is late, the database was away, jobs may have waited meanwhile, and the wide looks are due.
    pub(super) fn was_late(&mut self, look: Look) {
        if self.is_wide(look) {
            self.recent.was_late();
        } else {
            self.failed();
        }
    }

    fn is_wide(&self, look: Look) -> bool {
        look == Look::Within(self.wide)
    }

    /// The database was away: jobs may have waited meanwhile, so the wide looks are due.
    pub(super) fn failed(&mut self) {
        self.all.again_at = Instant::now();
        self.recent.again_at = Instant::now();
    }
}

struct Paced {
    again_at: Instant,
    /// How long it takes lately.
    takes: Duration,
    /// How often in a row it was not answered in time.
    late: u32,
}

impl Paced {
    fn new() -> Self {
        Self { again_at: Instant::now(), takes: QUICK, late: 0 }
    }

    fn is_due(&self) -> bool {
        Instant::now() >= self.again_at
    }

    fn pause(&self) -> Duration {
        (self.takes * COST).clamp(OFTEN, SELDOM)
    }

    fn took(&mut self, took: Duration) {
        self.takes = took.min(self.takes.max(QUICK) * GROWTH);
        self.late = 0;
        self.again_at = Instant::now() + self.pause();
    }

    fn was_late(&mut self) {
        self.again_at = Instant::now() + (LATE * 2_u32.saturating_pow(self.late)).min(SELDOM);
        self.late = (self.late + 1).min(8);
    }
}
