//! What the worker does in the morning.
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::{jobs::Job, schedules::jobs::scheduled};

scheduled! {
    /// Sends everybody in charge the state of the day.
    Point = "digest.quotidien", attempts 8, limit Duration::from_mins(5)
}

/// Sends one person the state of a day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendDigest {
    pub user_id: i64,
    /// The local day.
    pub jour: NaiveDate,
}

impl Job for SendDigest {
    const QUEUE: &'static str = "emails.digest";
    /// With pauses of up to ten minutes: some four hours. In the afternoon it is no news any more.
    const MAX_ATTEMPTS: usize = 30;
    const TIMEOUT: Duration = Duration::from_hours(1);
    const CONCURRENCY: usize = 2;
    const MAX_BACKOFF: Duration = Duration::from_mins(10);

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.user_id, self.jour))
    }
}
