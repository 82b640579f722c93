//! What the worker does with notifications.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::jobs::Job;

/// Sends the mail of a notification.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendEmail {
    pub notification_id: i64,
}

impl Job for SendEmail {
    const QUEUE: &'static str = "emails.send";
    /// With pauses of up to ten minutes: some eight hours without an SMTP server.
    const MAX_ATTEMPTS: usize = 55;
    const TIMEOUT: Duration = Duration::from_mins(1);
    const CONCURRENCY: usize = 4;
    const BATCH: usize = 4;
    const MAX_BACKOFF: Duration = Duration::from_mins(10);
}
