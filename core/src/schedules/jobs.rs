//! The job of a schedule that belongs to no noun.
use std::time::Duration;

use crate::jobs::scheduled;

scheduled! {
    /// Removes what is not needed any more: finished jobs, dead tokens, files without a row.
    Purge = "maintenance.purge", attempts 5, limit Duration::from_mins(30)
}
