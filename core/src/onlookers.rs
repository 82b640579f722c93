//! Those who look on what changes, in this process: what they have been told of. Who looks for them is above ([`crate::operate`]).
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, watch};

/// What the last look has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Greater with each change; by the clock, so that it goes on when the process is another one.
    pub number: i64,
    /// The process is about to end: those who look on come back, to another one.
    pub closing: bool,
}

/// Those who look on.
#[derive(Debug)]
pub struct Onlookers {
    pub(crate) seen: watch::Sender<Seen>,
    pub(crate) is_looking: AtomicBool,
    /// The digest of the last look; empty before the first.
    pub(crate) last: Mutex<String>,
}

impl Onlookers {
    /// Nobody yet.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        let seen = Seen { number: now.timestamp_millis(), closing: false };
        Self {
            seen: watch::Sender::new(seen),
            is_looking: AtomicBool::new(false),
            last: Mutex::default(),
        }
    }

    /// Lets everybody who looks on go.
    pub fn close(&self) {
        self.seen.send_modify(|seen| seen.closing = true);
    }

    pub(crate) fn are_there(&self) -> bool {
        self.seen.receiver_count() > 0 && !self.seen.borrow().closing
    }
}
