//! The mean duration of a queue's recent attempts, and how many jobs may be held ready (claimed before there is a place)
//! because of it.
use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

/// Jobs held ready begin within this time, by the mean duration: other processes would hardly begin them sooner.
const AHEAD: Duration = Duration::from_millis(20);
/// The most jobs that are held ready.
const MOST: usize = 400;
/// The number of attempts before the mean is used, and about the number that it covers.
const KNOWN: usize = 64;

/// The mean duration of attempts. One long attempt outweighs many short ones.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    nanos: AtomicU64,
    seen: AtomicUsize,
}

impl Pace {
    /// Adds an attempt that took `lasted`. Of two that end at the same time, one may be left out.
    pub(crate) fn add(&self, lasted: Duration) {
        let lasted = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX);
        let part = KNOWN as u64;
        let mean = match self.seen.fetch_add(1, Relaxed) {
            0 => lasted,
            _ => self.nanos.load(Relaxed),
        };
        self.nanos.store(mean - mean / part + lasted / part, Relaxed);
    }

    /// Discards the mean, because jobs held ready did not begin soon.
    pub(crate) fn forget(&self) {
        self.seen.store(0, Relaxed);
    }

    /// How many jobs to hold ready beside `places` running ones; 0 if the mean is not known yet, or is too long.
    pub(crate) fn ahead(&self, places: usize) -> usize {
        if self.seen.load(Relaxed) < KNOWN {
            return 0;
        }
        let mean = u128::from(self.nanos.load(Relaxed).max(1));
        let jobs = AHEAD.as_nanos() * places as u128 / mean;
        usize::try_from(jobs).unwrap_or(MOST).min(MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_begins_soon_is_held_ready() {
        let pace = Pace::default();
        for _ in 1..KNOWN {
            pace.add(Duration::from_micros(50));
        }
        assert_eq!(pace.ahead(100), 0, "not known yet");
        for _ in 0..1000 {
            pace.add(Duration::from_micros(50));
        }
        assert_eq!(pace.ahead(100), MOST);
        pace.add(Duration::from_secs(10));
        assert_eq!(pace.ahead(4), 0, "one of ten seconds is enough");
        for _ in 0..1000 {
            pace.add(Duration::from_millis(2));
        }
        assert!((38..=40).contains(&pace.ahead(4)), "{}", pace.ahead(4));
        assert_eq!(pace.ahead(0), 0);
        pace.forget();
        assert_eq!(pace.ahead(4), 0);
    }
}
