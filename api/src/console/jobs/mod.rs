//! Jobs: found, looked at one by one, and acted on together.
pub mod act;
pub mod list;
pub mod one;
