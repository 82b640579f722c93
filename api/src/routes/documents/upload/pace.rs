//! How slowly an upload may come: who holds a place without using it loses it.
use std::time::Duration;

use axum::http::StatusCode;
use tokio::time::Instant;

use crate::{ApiError, multipart};

/// A client that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// A line may be bad for so long before its rate counts.
const GRACE: Duration = Duration::from_secs(30);
/// Bytes a second that an upload has at every moment since it began, on the average. A photo over the worst of mobile
/// networks has four times as many.
const LEAST_RATE: u64 = 4 * 1024;
/// Bytes a second by which the whole is timed: ten mebibytes have eleven minutes.
const USUAL_RATE: u64 = 16 * 1024;

/// The time that one upload has.
pub(super) struct Pace {
    started: Instant,
    deadline: Instant,
    received: multipart::Received,
}

impl Pace {
    /// Of a body of `most` bytes, which begins now.
    pub(super) fn new(most: u64, received: multipart::Received) -> Self {
        let started = Instant::now();
        Self { started, deadline: started + GRACE + time_for(most, USUAL_RATE), received }
    }

    /// Waits for a piece of the body for as long as there is time for it; then it is a 408.
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
