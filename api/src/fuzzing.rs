//! Entry points for the fuzz targets of `fuzz/` and their replay in `api/tests/fuzz`: the parsers of untrusted input, from bytes
//! to a result. No other code should use this module.
use std::net::IpAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
};
use erp_core::{Ctx, documents::FileKind};
use ipnet::IpNet;

pub use crate::extract::{Form, Json, Query};

/// Name, kind, size and SHA-256 of the file in the body of an upload, or the status of the refusal.
pub async fn upload(
    ctx: &Ctx,
    request: Request,
) -> Result<(String, FileKind, u64, String), StatusCode> {
    let found = crate::routes::documents::upload::look_at(ctx, request).await;
    found.map_err(|error| error.into_response().status())
}

/// The address of the client of a request that came from `peer`.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    crate::layers::client(peer, headers, trusted)
}
