//! What the pages load: one style, one script of ours, and htmx. Their addresses name their content, so caches keep them.
use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use erp_core::secret;
use sha2::{Digest as _, Sha256};

use crate::ApiError;

const STYLE: &[u8] = include_bytes!("../../../static/console/console.css");
const SCRIPT: &[u8] = include_bytes!("../../../static/console/console.js");
/// htmx 2.0.11, `dist/htmx.min.js` of the npm package `htmx.org` (0BSD, see `static/console/LICENSE`), by `gzip -9 -n`.
const HTMX: &[u8] = include_bytes!("../../../static/console/htmx.min.js.gz");

/// The names of the files, which change with their content.
pub struct Names {
    pub style: String,
    pub script: String,
    pub htmx: String,
}

pub static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let named = |bytes: &[u8], extension: &str| {
        let digest = Sha256::digest(bytes);
        let short = &secret::hex(&digest)[..12];
        format!("/console/static/{short}.{extension}")
    };
    Names { style: named(STYLE, "css"), script: named(SCRIPT, "js"), htmx: named(HTMX, "js") }
});

/// One of the files.
pub async fn file(Path(file): Path<String>) -> Response {
    let asked = format!("/console/static/{file}");
    let (kind, bytes, is_gzip) = match asked {
        asked if asked == NAMES.style => ("text/css; charset=utf-8", STYLE, false),
        asked if asked == NAMES.script => ("text/javascript; charset=utf-8", SCRIPT, false),
        asked if asked == NAMES.htmx => ("text/javascript; charset=utf-8", HTMX, true),
        _ => return ApiError::of_status(StatusCode::NOT_FOUND).into_response(),
    };
    let kept = "public, max-age=31536000, immutable";
    let headers = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)];
    let encoding = is_gzip.then_some([(header::CONTENT_ENCODING, "gzip")]);
    (headers, encoding, bytes).into_response()
}
