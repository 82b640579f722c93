//! The router: merges the routers of all nouns, and wraps them in the layers.
pub(crate) mod admin;
pub(crate) mod api_keys;
pub(crate) mod auth;
mod calendrier;
mod clients;
pub(crate) mod compte;
mod dashboard;
pub(crate) mod documents;
mod equipements;
mod interventions;
mod invitations;
mod notifications;
pub(crate) mod personal_data;
mod planning;
mod preferences;
mod rapports;
mod second_factor;
mod service;
mod techniciens;
mod user_access;
mod users;

use std::time::Duration;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, Method, header, request::Parts},
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use erp_core::Ctx;
use tower::{Layer as _, ServiceBuilder};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowOrigin, CorsLayer},
    normalize_path::{NormalizePath, NormalizePathLayer},
};
use utoipa_axum::router::OpenApiRouter;

use crate::{console, layers, once, openapi};

/// The most bytes of a body of JSON or of a form; uploads have a limit of their own.
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

macro_rules! nouns {
    ($($noun:ident),+ $(,)?) => {
        /// Every route below `/api/v1`.
        fn routes() -> OpenApiRouter<Ctx> {
            OpenApiRouter::new()$(.merge($noun::router()))+
        }

        /// What the OpenAPI document says of each noun.
        pub(crate) const TAGS: &[(&str, &str)] = &[$($noun::TAG),+];
    };
}

// In the order of the document.
nouns!(
    auth,
    compte,
    users,
    invitations,
    clients,
    techniciens,
    equipements,
    interventions,
    planning,
    calendrier,
    documents,
    notifications,
    rapports,
    dashboard,
    admin,
    service
);

/// The OpenAPI 3.1 document of all routes.
#[must_use]
pub fn openapi_document() -> serde_json::Value {
    openapi::document(routes().split_for_parts().1)
}

/// The whole API: the routes at the root and under `/api/v1`, with and without a slash at the end, inside the layers.
#[must_use]
pub fn service(ctx: &Ctx) -> NormalizePath<Router> {
    let (router, described) = routes().split_for_parts();
    let entrance = layers::Entrance::new(ctx);
    let pages = console::router(&entrance);
    let router = router.route_layer(from_fn_with_state(entrance, layers::of_route));
    let around = ServiceBuilder::new()
        .layer(from_fn(layers::outer))
        .layer(cors(&ctx.config.http.cors_origins))
        .layer(from_fn_with_state(ctx.clone(), layers::inner))
        .layer(CatchPanicLayer::new())
        .layer(DefaultBodyLimit::max(BODY_LIMIT));
    let router = Router::new()
        .nest("/api/v1", router.clone())
        .merge(router)
        .merge(pages)
        .route("/api/v1/console/static/{file}", get(console::file))
        .merge(openapi::pages(openapi::document(described), ctx))
        .with_state(ctx.clone())
        .layer(around);
    NormalizePathLayer::trim_trailing_slash().layer(router)
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|o| o.parse().ok()).collect();
    // Pages have cookies: no other origin may read them, the frontend's neither.
    let may_read = move |origin: &HeaderValue, request: &Parts| {
        !console::is_page(request.uri.path()) && origins.contains(origin)
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(may_read))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::ACCEPT,
            header::ACCEPT_LANGUAGE,
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            layers::X_REQUEST_ID,
            once::IDEMPOTENCY_KEY,
            header::IF_MATCH,
        ])
        .expose_headers([
            crate::list::X_TOTAL_COUNT,
            crate::list::X_TOTAL_COUNT_EXACT,
            header::LINK,
            header::LOCATION,
            layers::X_REQUEST_ID,
            header::RETRY_AFTER,
            once::IDEMPOTENCY_REPLAYED,
            header::ETAG,
        ])
        .max_age(Duration::from_mins(10))
}

/// One sentence for a person, where the contract names it so.
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
struct Detail {
    detail: &'static str,
}
