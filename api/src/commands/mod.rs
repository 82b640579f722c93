//! What `erp-api` does besides serving.
pub mod accounts;
pub mod keys;
pub mod schema;
