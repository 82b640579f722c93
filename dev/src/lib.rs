//! What a developer's machine needs around the ERP: a private PostgreSQL, a mailbox that catches
//! every e-mail, databases for tests, and `cargo dev` that runs all of it.
//!
//! Without the feature `system` this crate does not depend on the ERP's own code: `cargo queries` must work precisely when
//! that does not compile yet.

mod cargo;
#[cfg(feature = "system")]
pub mod demo;
pub mod faults;
pub mod mail_sink;
pub mod postgres;
pub mod queries;
#[cfg(feature = "system")]
pub mod run;
pub mod samples;
#[cfg(feature = "system")]
pub mod test_db;
pub mod zoneinfo;

pub use mail_sink::MailSink;
pub use postgres::Postgres;
#[cfg(feature = "system")]
pub use test_db::TestDb;
