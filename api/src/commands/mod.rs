//! The commands of `erp-api` besides serving.
pub mod accounts;
pub mod audit;
pub mod keys;
pub mod schema;
