//! What the benchmarks share: a system to measure, a load to put on it, and a table to print.
//!
//! A figure depends on the machine, so each is printed beside its limit, measured in the same run.

mod guard;
mod limits;
mod load;
mod opening;
mod plans;
mod process;
mod report;
mod system;

pub use guard::guard;
pub use limits::{Limits, Server, is_limit};
pub use load::{Outcome, hammer, hammer_each, json_request, median, request};
pub use plans::Plans;
pub use process::{Child, cpu_seconds, forget_peak, peak_mib};
pub use report::Report;
pub use system::System;

/// How many threads the machine runs at once.
#[must_use]
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
