//! The service itself: what it is, whether it lives, whether it is ready.
use axum::{Json, extract::State, http::StatusCode};
use erp_core::{Ctx, schema_is_current};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
}

/// What this is, and where its documentation is.
#[utoipa::path(get, path = "/", tag = "service", responses((status = 200, body = Value)))]
async fn root() -> Json<Value> {
    Json(json!({
        "message": "ERP MIF Maroc : bienvenue.",
        "version": env!("CARGO_PKG_VERSION"),
        "docs": "/docs",
        "redoc": "/redoc",
    }))
}

/// The process answers. Never touches the database.
#[utoipa::path(get, path = "/health", tag = "service", responses((status = 200, body = Value)))]
async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// The process lives.
#[utoipa::path(get, path = "/live", tag = "service", responses((status = 200, body = Value)))]
async fn live() -> Json<Value> {
    Json(json!({"status": "ok"}))
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
}

/// Whether requests can be served: 503 names the check that failed.
#[utoipa::path(get, path = "/ready", tag = "service", responses(
    (status = 200, body = Readiness),
    (status = 503, body = Readiness),
))]
async fn ready(State(ctx): State<Ctx>) -> (StatusCode, Json<Readiness>) {
    let (schema, storage) = tokio::join!(schema_is_current(&ctx.pool), ctx.storage.check());
    let (database, schema) = match schema {
        Ok(true) => ("ok", "ok"),
        Ok(false) => ("ok", "migrations manquantes"),
        Err(_) => ("indisponible", "inconnu"),
    };
    let storage = if storage.is_ok() { "ok" } else { "indisponible" };
    let checks = Checks { database, schema, storage };
    if (database, schema, storage) == ("ok", "ok", "ok") {
        (StatusCode::OK, Json(Readiness { status: "ok", checks }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Readiness { status: "indisponible", checks }))
    }
}
