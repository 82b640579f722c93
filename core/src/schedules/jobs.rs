//! The jobs that schedules enqueue.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::jobs::Job;

/// Removes what has had its time: finished jobs, dead tokens, files without a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Purge {
    /// The tick that it is for; none when an operator asked for it.
    pub tick: Option<DateTime<Utc>>,
}

impl Job for Purge {
    const QUEUE: &'static str = "maintenance.purge";
    const MAX_ATTEMPTS: usize = 5;
    const TIMEOUT: Duration = Duration::from_mins(30);
    const CONCURRENCY: usize = 1;

    fn key(&self) -> Option<String> {
        self.tick.map(|tick| tick.to_rfc3339())
    }
}
