//! What the pages for people have in common: one document without scripts and without any other resource.
use std::sync::LazyLock;

use axum::{
    Extension,
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use erp_core::Lang;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::layers::OwnBody;

const STYLE: &str = include_str!("../../../../static/compte.css");

/// Only the style of this page is applied, and its forms are sent to this server only.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// A page with this title. No cache keeps it, and its address, which may hold a secret, goes to no other server.
pub(in crate::routes) fn page(
    status: StatusCode,
    langue: Lang,
    titre: &str,
    content: &Markup,
) -> Response {
    render(None, status, langue, titre, content)
}

/// The same, which leads on at once to the address `url`. A redirect would not do: browsers that hold the form of the page before to
/// this server (`form-action`) do so with the answers to it, too.
pub(super) fn page_leading_to(url: &str, langue: Lang, titre: &str, content: &Markup) -> Response {
    render(Some(url), StatusCode::OK, langue, titre, content)
}

fn render(
    leads_to: Option<&str>,
    status: StatusCode,
    langue: Lang,
    titre: &str,
    content: &Markup,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(langue) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                @if let Some(url) = leads_to { meta http-equiv="refresh" content={ "0;url=" (url) }; }
                title { @if !status.is_success() { (langue.choose("Erreur", "Error")) " · " } (titre) " · MIF Maroc" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p.marque { "MIF Maroc · Maintenance" }
                    h1 { (titre) }
                    (content)
                }
            }
        }
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Extension(OwnBody), Html(page.into_string())).into_response()
}

/// The page for an error of a route for people; `detail` is that of the JSON envelope.
pub(crate) fn of_error(status: StatusCode, langue: Lang, detail: &Value) -> Response {
    let titre = langue.choose("Cela n’a pas marché", "That did not work");
    let first = || detail.as_array()?.first()?.get("msg")?.as_str();
    let said = detail.as_str().or_else(first).unwrap_or_default();
    page(status, langue, titre, &html! { p role="alert" { (said) } })
}
