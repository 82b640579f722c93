//! A bound on the head of a request.
use axum::{
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use crate::ApiError;

/// Ten times what browsers and proxies send.
const MOST_HEADERS: usize = 200;
/// Bytes of all names and values; nginx allows 32 KiB as well.
const MOST_BYTES: usize = 32 * 1024;

/// Refuses requests with more headers than anyone needs: 431.
pub async fn limit_headers(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || bytes > MOST_BYTES {
        return ApiError::of_status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).into_response();
    }
    next.run(request).await
}
