//! The layers around the routes: request id and envelope, access, limits, metrics, and a clean end for refused uploads.
mod address;
mod drain;
mod envelope;
mod guard;
mod headers;
mod measure;

pub use address::{ClientAddress, client};
pub use drain::drain;
pub use envelope::{OwnBody, X_REQUEST_ID, envelope};
pub use guard::{anonymous, guard, signed_in};
pub use headers::{limit_headers, unless_said};
pub use measure::measure;
