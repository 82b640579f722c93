//! The business of the maintenance ERP: types, rules and SQL, one module per domain noun.
//! Knows nothing of HTTP, and nothing of how jobs are run.

// What `#[derive(Input)]` writes names this crate, here as elsewhere.
extern crate self as erp_core;

pub mod accounts;
pub mod audit;
pub mod auth;
pub mod calendrier;
pub mod catalogue;
pub mod charge;
pub mod clients;
mod clock;
pub mod config;
mod ctx;
pub mod dashboard;
pub mod database;
pub mod digest;
pub mod documents;
pub mod equipements;
pub mod error;
#[cfg(test)]
mod floors;
pub mod health;
pub mod idempotence;
pub mod input;
pub mod interventions;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod local;
pub mod mail_facts;
pub mod mailer;
pub mod metrics;
pub mod migrate;
pub mod notifications;
pub mod operate;
pub mod page;
pub mod planning;
pub mod preferences;
pub mod reconcile;
pub mod roots;
pub mod schedules;
pub mod scope;
pub mod scrape;
pub mod secret;
pub mod seed;
pub mod shutdown;
#[cfg(test)]
mod sources;
pub mod storage;
pub mod techniciens;
pub mod telemetry;
mod text;
pub mod time_rules;
mod tx;
pub mod users;
pub mod version;

pub use clock::Clock;
pub use config::Config;
pub use ctx::Ctx;
pub use error::{Error, Noun, Result};
pub use migrate::{MIGRATOR, Schema, migrate};
pub use text::{Lang, Text};
pub use tx::Tx;
