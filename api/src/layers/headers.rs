//! A bound on the headers of a request, and default headers of answers for browsers and caches.
use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::OwnBody;
use crate::ApiError;

/// Ten times what browsers and proxies send.
const MOST_HEADERS: usize = 200;
/// The most bytes of all names and values together; nginx allows 32 KiB as well.
const MOST_BYTES: usize = 32 * 1024;

/// Refuses requests with more headers, or larger ones, than any client needs: 431.
pub async fn limit_headers<F>(request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || bytes > MOST_BYTES {
        return ApiError::of_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_response();
    }
    next(request).await
}

/// Default headers of an answer: no cache keeps it, and no browser renders it as a page. Files, calendars and the pages of
/// the documentation have headers of their own.
const UNLESS_SAID: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Adds the default headers to an answer that does not have them. On an error they replace the handler's own, unless it keeps
/// its own body ([`OwnBody`]).
pub async fn unless_said<F>(request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let mut response = next(request).await;
    let status = response.status();
    let failed = status.is_client_error() || status.is_server_error();
    let failed = failed && response.extensions().get::<OwnBody>().is_none();
    let headers = response.headers_mut();
    for (name, value) in UNLESS_SAID {
        if failed || !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
    response
}
