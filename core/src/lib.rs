//! The business of the maintenance ERP: types, rules and SQL, one module per domain noun.
//! Knows nothing of HTTP, and nothing of how jobs are run.
pub mod audit;
pub mod auth;
pub mod calendrier;
pub mod clients;
pub mod config;
mod ctx;
pub mod dashboard;
pub mod digest;
pub mod documents;
pub mod equipements;
pub mod error;
pub mod health;
pub mod historique;
pub mod input;
pub mod interventions;
pub mod jobs;
pub mod limits;
pub mod local;
pub mod mailer;
pub mod metrics;
pub mod migrate;
pub mod notifications;
pub mod page;
pub mod planning;
pub mod preferences;
pub mod schedules;
pub mod seed;
pub mod shutdown;
pub mod storage;
pub mod techniciens;
pub mod telemetry;
mod text;
pub mod users;

pub use config::Config;
pub use ctx::{Clock, Ctx};
pub use error::{Error, Noun, Result};
pub use migrate::{MIGRATOR, Schema, migrate};
pub use text::{Lang, Text};

/// An open transaction. A function that takes one writes, and leaves the commit to its caller.
pub type Tx<'a> = sqlx::Transaction<'a, sqlx::Postgres>;
