//! The jobs of the daily digest.
use std::time::Duration;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::jobs::{Job, scheduled};

scheduled! {
    /// Sends everybody in charge the state of the day.
    Point = "digest.quotidien", attempts 8, limit Duration::from_mins(5)
}

/// A job type of the previous release: it sends one person the state of a day. Nothing enqueues it any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendDigest {
    pub user_id: i64,
    /// The local day.
    pub jour: NaiveDate,
}

impl Job for SendDigest {
    const QUEUE: &'static str = "emails.digest";

    fn key(&self) -> Option<String> {
        Some(format!("{}:{}", self.user_id, self.jour))
    }
}
