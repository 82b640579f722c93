//! The time limits of an upload: one that is too slow is ended, so that it does not hold resources unused.
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use crate::{ApiError, multipart};

/// A client that sends nothing for this long is taken to be gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Time that every upload has in addition, so that a bad connection at the start does not end it.
const GRACE: Duration = Duration::from_secs(30);
/// The least average rate since the start, in bytes a second, at any moment of an upload. A photo over the worst of mobile
/// networks has four times as many.
const LEAST_RATE: u64 = 4 * 1024;
/// The rate that sets the deadline of the whole upload, in bytes a second: ten mebibytes have eleven minutes.
const USUAL_RATE: u64 = 16 * 1024;

/// The time limits of one upload.
pub(super) struct Pace {
    started: Instant,
    deadline: Instant,
    received: multipart::Received,
}

impl Pace {
    /// The limits of a body of at most `most` bytes that begins now.
    pub(super) fn new(most: u64, received: multipart::Received) -> Self {
        let started = Instant::now();
        Self { started, deadline: started + GRACE + time_for(most, USUAL_RATE), received }
    }

    /// Waits for the next piece of the body. 408 if the silence, the average rate or the deadline exceeds its limit.
    pub(super) async fn keep<T>(&self, piece: impl Future<Output = T>) -> Result<T, ApiError> {
        let silent = Instant::now() + SILENCE;
        let slow = self.started + GRACE + time_for(self.received.bytes(), LEAST_RATE);
        let late = |_| ApiError::of_status(StatusCode::REQUEST_TIMEOUT);
        tokio::time::timeout_at(silent.min(slow).min(self.deadline), piece).await.map_err(late)
    }
}

fn time_for(bytes: u64, per_second: u64) -> Duration {
    Duration::from_millis(bytes.saturating_mul(1000) / per_second)
}
