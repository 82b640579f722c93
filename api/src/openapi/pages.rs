//! The pages that show the document: Swagger UI and ReDoc, with every asset served by this program.
use std::{borrow::Cow, sync::Arc};

use axum::{
    Router,
    extract::Path,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use erp_core::Ctx;
use utoipa_swagger_ui::Config;

use crate::ApiError;

/// ReDoc 3.0.1, `bundles/redoc.standalone.js` of the npm package `redoc` (MIT, see `static/redoc/LICENSE`), by `gzip -9 -n`.
const REDOC: &[u8] = include_bytes!("../../../static/redoc/redoc.standalone.js.gz");

const REDOC_PAGE: &str = r#"<!doctype html>
<html lang="fr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ERP MIF Maroc : l'API</title>
<style>body { margin: 0 }</style>
</head>
<body>
<redoc spec-url="/openapi.json" disable-telemetry="true"></redoc>
<script type="module" src="/redoc/redoc.standalone.js"></script>
</body>
</html>
"#;

/// The pages fetch from and send to this server only, whatever the bundles attempt.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'unsafe-inline'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; \
    frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

/// `/docs` and `/redoc`.
pub fn pages() -> Router<Ctx> {
    let config = Arc::new(
        Config::from("/openapi.json")
            .display_request_duration(true)
            .persist_authorization(true)
            .try_it_out_enabled(true)
            .filter(true)
            .validator_url("none"),
    );
    let page = config.clone();
    Router::new()
        .route("/docs", get(async move || swagger("", &page)))
        .route("/docs/{file}", get(async move |Path(file): Path<String>| swagger(&file, &config)))
        .route(
            "/redoc",
            get(async || asset("text/html; charset=utf-8", false, REDOC_PAGE.as_bytes().into())),
        )
        .route(
            "/redoc/redoc.standalone.js",
            get(async || asset("text/javascript; charset=utf-8", true, REDOC.into())),
        )
}

fn swagger(file: &str, config: &Arc<Config<'static>>) -> Response {
    let found = match utoipa_swagger_ui::serve(file, config.clone()) {
        Ok(Some(found)) => found,
        Ok(None) => return ApiError::of_status(StatusCode::NOT_FOUND).into_response(),
        Err(error) => {
            tracing::error!(%error, file, "Swagger UI");
            return ApiError::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        }
    };
    let mut bytes = Cow::Owned(found.bytes.into_owned());
    if file.is_empty()
        && let Ok(page) = std::str::from_utf8(&bytes)
    {
        // The page is served with and without a slash at the end: its relative links must lead to the same addresses from both.
        bytes = Cow::Owned(page.replacen("<head>", "<head><base href=\"/docs/\">", 1).into_bytes());
    }
    asset(&found.content_type, found.gzpipped, bytes)
}

fn asset(content_type: &str, gzipped: bool, bytes: Cow<'static, [u8]>) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        // The assets change only with the program.
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    let encoding = gzipped.then_some([(header::CONTENT_ENCODING, "gzip")]);
    (HEADERS, [(header::CONTENT_TYPE, content_type)], encoding, bytes).into_response()
}
