//! Tests of what the crate promises, each on a real Postgres with real apalis workers.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, spawn, and ask what no query of the crate asks"
)]

mod attempts;
mod backend;
mod batches;
mod deaths;
mod enqueueing;
mod ledger;
mod long_work;
mod operators;
mod outages;
mod peers;
mod ready;
mod schedules;
mod support;
