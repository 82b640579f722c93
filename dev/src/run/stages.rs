//! Prints what has been done so far, one line each, for the person who waits.

use std::time::Instant;

use super::program;

/// Measures the time of each stage.
#[derive(Debug)]
pub(super) struct Stages {
    since: Instant,
}

impl Stages {
    pub(super) fn begin() -> Self {
        Self { since: Instant::now() }
    }

    /// Prints that a stage is over and how long it took.
    pub(super) fn done(&mut self, what: &str) {
        let took = std::mem::replace(&mut self.since, Instant::now()).elapsed();
        program::print_line(&format!("  {:>6.1} s   {what}", took.as_secs_f64()));
    }
}
