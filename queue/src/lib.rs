//! A queue on Postgres, as an [apalis](https://docs.rs/apalis) backend.
//!
//! * **Live jobs in a table whose updates are HOT, ended jobs in a ledger with a table for each day**: see the first migration.
//! * **Enqueueing in your transaction** ([`enqueue()`]): your rows and the job are committed together, or neither is.
//! * **Leases**: an attempt writes in transactions of its [`Lease`]; one that has lost its job (frozen, cut off) commits
//!   nothing.
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
mod older;
mod options;
mod pace;
mod presence;
mod process;
mod recorder;
mod reserved;
pub mod schedules;
mod slots;
mod transaction;

pub use announce::{Announcer, hear};
pub use backend::Storage;
pub use claim::{Claimed, MAX_RESCUES};
pub use enqueue::{NewJob, enqueue, enqueue_all};
pub use error::{Error, Outage, Result, Stale, is_away};
pub use finish::{Finished, Outcome};
pub use judge::backoff;
pub use layer::{AttemptLayer, AttemptService};
pub use lease::Lease;
pub use options::{Hook, HookedJob, Observer, Options, Settings};
pub use process::Process;
pub use reserved::Reserved;
pub use transaction::{begin, begin_on};

use sqlx::migrate::Migrator;

/// The migrations of the schema `queue`, which has a history of its own. Applied migrations that this version does not know are
/// ignored: an older program may start beside a newer one, or replace it.
pub static MIGRATIONS: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("./migrations") };
