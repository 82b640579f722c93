//! A queue on Postgres, as an [apalis](https://docs.rs/apalis) backend.
//!
//! * **Live jobs in a hot table, ended ones in a ledger cut by day**: see the first migration.
//! * **Enqueueing in your transaction** ([`enqueue()`]): row and job, both or neither.
//! * **Leases**: what an attempt writes it writes under its [`Lease`]; who was frozen or cut off writes nothing.
//! * **Outages cost time, not attempts** ([`Outage`]), with breakers that all workers share ([`breaker`]).
//! * **Long work**: progress, checkpoints, cancellation that reaches the handler ([`Lease`]), batches ([`batch`]).
//! * **Schedules**: each tick becomes one job, however many processes look at the clock ([`schedules`]).
//! * **For operators**: pause, cancel, redrive, change concurrency at run time ([`admin`]).
pub mod admin;
mod announce;
mod backend;
pub mod batch;
pub mod breaker;
mod breakers;
mod claim;
mod enqueue;
mod error;
mod expose;
mod finish;
mod hook;
mod judge;
mod layer;
mod lease;
mod options;
mod pace;
mod presence;
mod process;
mod recorder;
mod reserved;
pub mod schedules;
mod slots;

pub use announce::Announcer;
pub use backend::Storage;
pub use claim::{Claimed, MAX_RESCUES};
pub use enqueue::{NewJob, enqueue, enqueue_all};
pub use error::{Error, Outage, Result, Stale};
pub use finish::{Finished, Outcome};
pub use judge::backoff;
pub use layer::{AttemptLayer, AttemptService};
pub use lease::Lease;
pub use options::{Hook, HookedJob, Observer, Options, Settings};
pub use process::Process;
pub use reserved::Reserved;

use sqlx::migrate::Migrator;

/// The schema `queue`, with its own history of migrations. Those that a newer version has brought are left alone: a program of
/// before may start beside it, or take its place again.
pub static MIGRATIONS: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("./migrations") };
