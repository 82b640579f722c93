//! HTTP: routes, extractors, and the mapping of core errors to responses. Contains no business rule and no SQL.
pub mod console;
mod error;
mod extract;
#[doc(hidden)]
pub mod fuzzing;
pub mod if_match;
mod json;
mod layers;
mod list;
mod multipart;
pub mod once;
mod openapi;
pub mod rbac;
mod routes;
mod server;

pub use error::ApiError;
pub use routes::{openapi_document, service};
pub use server::serve;
