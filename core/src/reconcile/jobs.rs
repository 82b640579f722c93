//! The nightly job.
use std::time::Duration;

use crate::jobs::scheduled;

scheduled! {
    /// Finds rows without a job and jobs without a subject.
    Reconcile = "maintenance.reconcile", attempts 5, limit Duration::from_mins(30)
}
