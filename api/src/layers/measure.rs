//! Counts and times requests for Prometheus.
use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use erp_core::metrics;

/// Observes the duration of a request by method, route and status. It applies to routes only, since a client could invent any
/// number of other paths, each a new time series.
pub async fn measure(route: MatchedPath, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let response = next.run(request).await;
    // A client could also invent any number of methods that the route does not have.
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let path = route.as_str();
    let path = path.strip_prefix("/api/v1").unwrap_or(path);
    metrics::HTTP_SECONDS
        .with_label_values(&[method.as_str(), path, response.status().as_str()])
        .observe(started.elapsed().as_secs_f64());
    response
}
