//! What a developer's machine needs around the ERP: a private PostgreSQL, a mailbox that catches
//! every e-mail, databases for tests, and `cargo dev` that runs all of it.

pub mod demo;
pub mod mail_sink;
pub mod postgres;
pub mod run;
pub mod samples;
mod test_db;

pub use mail_sink::MailSink;
pub use postgres::Postgres;
pub use test_db::TestDb;
