//! The layers around the routes: request id and envelope, access, limits, metrics, and a clean end for refused uploads.
//!
//! Each is a function that calls the next one. They are joined in three groups, each one layer of axum, since axum copies and boxes
//! for every request all that is inside a layer.
mod address;
mod drain;
mod envelope;
mod guard;
mod headers;
mod measure;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use erp_core::Ctx;

pub use address::{ClientAddress, client};
pub use envelope::{OwnBody, ReaderLang, RequestInfo, X_REQUEST_ID};
pub use guard::{Entrance, anonymous, count, signed_in};

use crate::{console, if_match, once};

/// The outermost: what every answer has.
pub async fn outer(request: Request, next: Next) -> Response {
    headers::unless_said(request, |request| {
        envelope::envelope(request, |request| next.run(request))
    })
    .await
}

/// What a request may send.
pub async fn inner(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    headers::limit_headers(request, |request| {
        drain::drain(&ctx, request, |request| next.run(request))
    })
    .await
}

/// Around a handler, once the route is known: these look up its rules by it.
pub async fn of_route(State(entrance): State<Entrance>, request: Request, next: Next) -> Response {
    let ctx = &entrance.ctx;
    measure::measure(request, |request| {
        guard::guard(&entrance, request, |request| {
            if_match::layer(ctx, request, |request| {
                once::layer(ctx, request, |request| next.run(request))
            })
        })
    })
    .await
}

/// Around a page of the console.
pub async fn of_page(State(entrance): State<Entrance>, request: Request, next: Next) -> Response {
    measure::measure(request, |request| {
        console::guard::guard(&entrance, request, |request| next.run(request))
    })
    .await
}
