//! The scheduled jobs of interventions.
use std::time::Duration;

use crate::jobs::scheduled;

scheduled! {
    /// Tells of deadlines that have passed.
    Late = "interventions.retard", attempts 5, limit Duration::from_mins(10)
}

scheduled! {
    /// Tells of interventions that nobody takes up.
    Unassigned = "interventions.sla", attempts 5, limit Duration::from_mins(4)
}
