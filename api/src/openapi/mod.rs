//! The OpenAPI document, generated from the routes, and the pages that show it.
mod pages;

use axum::{Json, Router, routing::get};
use erp_core::Ctx;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};

/// What the document says before any route.
pub fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("ERP MIF Maroc")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Gestion de la maintenance industrielle : interventions, équipements, documents, notifications."));
    OpenApiBuilder::new().info(info).build()
}

/// `/openapi.json`, `/docs` and `/redoc`. The document lists the routes under `/api/v1` only.
pub fn pages(document: OpenApi) -> Router<Ctx> {
    let document = OpenApiBuilder::from(OpenApi::default())
        .info(document.info.clone())
        .build()
        .nest("/api/v1", document);
    let json = Json(document);
    Router::new().route("/openapi.json", get(move || async move { json })).merge(pages::pages())
}
