//! The jobs of plannings.
use std::time::Duration;

use crate::jobs::scheduled;

scheduled! {
    /// Opens the interventions of the plannings that are due.
    Generate = "planning.generate", attempts 8, limit Duration::from_mins(30)
}

scheduled! {
    /// Announces the visits and the deadlines of tomorrow.
    Remind = "planning.rappel", attempts 8, limit Duration::from_mins(10)
}
