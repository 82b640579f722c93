//! The business of the maintenance ERP: types, rules and SQL, one module per domain noun.
//! Knows nothing of HTTP, and nothing of how jobs are run.

// The code that `#[derive(Input)]` generates names this crate, in this crate as in others.
extern crate self as erp_core;

// From the ground up: a module imports from those before it in this list, and from no other; those of the ground import each other
// (`floors.rs` tests it, and reads this list: the next two headings too).

// The ground: texts, input and errors, which know each other.
pub mod secret;
#[cfg(test)]
mod sources;
mod text;
pub mod input;
pub mod version;
pub mod error;
pub mod scope;
pub mod page;

// The base: it knows no noun of the business.
mod clock;
pub mod roots;
pub mod shutdown;
pub mod metrics;
pub mod storage;
pub mod local;
pub mod mailer;
pub mod config;
pub mod health;
pub mod telemetry;
pub mod database;
pub mod keys;
pub mod limits;
pub mod oidc;
pub mod onlookers;
mod tx;
mod ctx;
pub mod migrate;
pub mod idempotence;
pub mod jobs;
pub mod time_rules;

// The nouns: each knows the base and the nouns before it.
pub mod audit;
pub mod users;
pub mod preferences;
pub mod notifications;
pub mod auth;
pub mod clients;
pub mod techniciens;
pub mod interventions;
pub mod documents;
pub mod equipements;
pub mod planning;
pub mod calendrier;
pub mod rapports;
pub mod personal_data;
pub mod accounts;

// The top: what knows many nouns.
pub mod charge;
pub mod mail_facts;
pub mod dashboard;
pub mod kpi;
pub mod digest;
pub mod reconcile;
pub mod schedules;
pub mod catalogue;
pub mod operate;
pub mod scrape;
pub mod doctor;
pub mod seed;

#[cfg(test)]
mod floors;

pub use clock::Clock;
pub use config::Config;
pub use ctx::Ctx;
pub use error::{Code, Error, Noun, Result};
pub use migrate::{MIGRATOR, Schema, migrate};
pub use text::{Lang, Text};
pub use tx::Tx;
