//! The service itself: its name and version, probes and metrics.
use axum::{
    Extension, Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use erp_core::{Ctx, Schema, local, migrate, scrape};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{ApiError, layers::OwnBody};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("service", "The service itself, for those who run it.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(scrape))
}

/// What this is, and where its documentation is.
#[utoipa::path(get, path = "/", tag = "service", responses((status = 200, body = Welcome)))]
async fn root() -> Json<Welcome> {
    Json(Welcome {
        message: "ERP MIF Maroc : bienvenue.",
        version: env!("CARGO_PKG_VERSION"),
        docs: "/docs",
        redoc: "/redoc",
    })
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Welcome {
    message: &'static str,
    version: &'static str,
    docs: &'static str,
    redoc: &'static str,
}

/// Always `ok`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Alive {
    status: &'static str,
}

/// The process answers. Never touches the database.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, body = Alive)))]
async fn health() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// The process lives.
#[utoipa::path(get, path = "/live", tag = "service", responses((status = 200, body = Alive)))]
async fn live() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Each thing that the API stands on, `ok` or what is wrong with it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Readiness {
    status: &'static str,
    checks: Checks,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Checks {
    database: &'static str,
    schema: &'static str,
    storage: &'static str,
    /// The release of the time zone database that dates are reckoned by: `2026f`. Never a reason for 503.
    time_zones: String,
}

/// Whether requests can be served: 503 names the check that failed.
#[utoipa::path(
    get, path = "/ready", tag = "service",
    responses(
        (status = 200, body = Readiness, description = "All checks are `ok`."),
        (status = 503, body = Readiness, description = "A check is not."),
    ),
)]
async fn ready(State(ctx): State<Ctx>) -> impl IntoResponse {
    let (schema, storage) = tokio::join!(migrate::schema(&ctx.pool), ctx.storage.check());
    let good = schema.as_ref().is_ok_and(|schema| schema.is_enough()) && storage.is_ok();
    let (database, schema) = match schema {
        Ok(Schema::Current) => ("ok", "ok"),
        // During a rolling upgrade the replicas of the previous version still serve.
        Ok(Schema::Newer) => ("ok", "ok (plus récent)"),
        Ok(Schema::Behind) => ("ok", "migrations manquantes"),
        Err(_) => ("indisponible", "inconnu"),
    };
    let storage = if storage.is_ok() { "ok" } else { "indisponible" };
    let time_zones = local::rules::in_words();
    let checks = Checks { database, schema, storage, time_zones };
    if good {
        Json(Readiness { status: "ok", checks }).into_response()
    } else {
        let body = Json(Readiness { status: "indisponible", checks });
        let soon = [(header::RETRY_AFTER, "5")];
        (StatusCode::SERVICE_UNAVAILABLE, soon, Extension(OwnBody), body).into_response()
    }
}

/// What Prometheus is told: `docs/metrics.md` has the names.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses((status = 200, body = String, content_type = "text/plain", description = "Prometheus's text format.")),
)]
async fn scrape(State(ctx): State<Ctx>) -> Result<impl IntoResponse, ApiError> {
    let text = scrape::render(&ctx).await?;
    Ok(([(header::CONTENT_TYPE, scrape::CONTENT_TYPE)], text))
}
