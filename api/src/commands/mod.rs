//! What `erp-api` does besides serving.
pub mod accounts;
pub mod audit;
pub mod keys;
pub mod schema;
