//! The time.
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};

/// The only source of the current time, to the microsecond, which is what Postgres keeps.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock stopped at `now`, for tests. Its clones share its time.
    #[must_use]
    pub fn stopped_at(now: DateTime<Utc>) -> Self {
        Self(Some(Arc::new(AtomicI64::new(now.timestamp_micros()))))
    }

    /// Sets a stopped clock, and all its clones, to `now`; does nothing to a running one.
    pub fn set(&self, now: DateTime<Utc>) {
        if let Some(stopped) = &self.0 {
            stopped.store(now.timestamp_micros(), Ordering::Relaxed);
        }
    }

    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        let stopped = self.0.as_ref().map(|stopped| stopped.load(Ordering::Relaxed));
        let now = stopped.and_then(DateTime::from_timestamp_micros).unwrap_or_else(Utc::now);
        now.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(now)
    }
}
