//! The small HTTP port of a worker: for the orchestrator and for Prometheus, and nothing else.
use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use erp_core::{Ctx, Schema, local, migrate, scrape};
use serde_json::json;
use tokio::{net::TcpListener, time::timeout};

/// How long the database may take to answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Listens on `address`; the error says what to do when it is not free.
pub async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("WORKER_BIND_ADDR: {address} is not free; several workers on one machine need a port each (0 finds one)")
    })
}

/// Serves `/live`, `/ready` and `/metrics` until the process ends.
pub async fn serve(listener: TcpListener, ctx: Ctx) -> std::io::Result<()> {
    let router = Router::new()
        .route("/live", get(|| async { Json(json!({ "status": "ok" })) }))
        .route("/ready", get(ready))
        .route("/metrics", get(scrape))
        .with_state(ctx);
    axum::serve(listener, router).await
}

/// Whether this worker can claim jobs (200 or 503): the database answers, and has at least the schema of this version.
async fn ready(State(ctx): State<Ctx>) -> Response {
    let schema = timeout(LIMIT, migrate::schema(&ctx.pool)).await;
    let (status, database, schema) = match schema {
        Ok(Ok(Schema::Current)) => (StatusCode::OK, "ok", "ok"),
        Ok(Ok(Schema::Newer)) => (StatusCode::OK, "ok", "ok (plus récent)"),
        Ok(Ok(Schema::Behind)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "ok", "not the schema of this version")
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "does not answer", "unknown"),
    };
    let said = if status == StatusCode::OK { "ok" } else { "unavailable" };
    let checks =
        json!({ "database": database, "schema": schema, "time_zones": local::rules::in_words() });
    (status, Json(json!({ "status": said, "checks": checks }))).into_response()
}

async fn scrape(State(ctx): State<Ctx>) -> Response {
    match scrape::render(&ctx).await {
        Ok(text) => ([(header::CONTENT_TYPE, scrape::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "no metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
