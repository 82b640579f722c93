//! Counts and times requests for Prometheus.
use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::StatusCode,
    response::Response,
};
use erp_core::metrics;

use crate::rbac;

/// Observes the duration of a request by method, route and status. It applies to routes only, since a client could invent any
/// number of other paths, each a new time series.
pub async fn measure<F>(request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next(request).await;
    // A client could also invent any number of methods that the route does not have.
    let Some(route) = route.filter(|_| response.status() != StatusCode::METHOD_NOT_ALLOWED) else {
        return response;
    };
    let path = route.as_str();
    let path = rbac::at_root(path);
    metrics::HTTP_SECONDS
        .with_label_values(&[method.as_str(), path, response.status().as_str()])
        .observe(started.elapsed().as_secs_f64());
    response
}
