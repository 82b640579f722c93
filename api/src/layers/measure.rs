//! Counts and times requests for Prometheus.
use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use erp_core::metrics;

/// By method, route and status: what has no route is not counted, for anybody can invent a million of those.
pub async fn measure(route: MatchedPath, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let response = next.run(request).await;
    // A method that the route does not have is anybody's invention, too.
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
