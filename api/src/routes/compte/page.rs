//! The pages that links in mails open: they look as those of the console do ([`crate::console`]).
use axum::{http::StatusCode, response::Response};
use erp_core::Lang;
use maud::{Markup, html};
use serde_json::Value;

use crate::console::page::of_link;

/// A page with this title.
pub(in crate::routes) fn page(
    status: StatusCode,
    langue: Lang,
    titre: &str,
    content: &Markup,
) -> Response {
    of_link(status, langue, titre, None, content)
}

/// The same, which leads on at once to the address `url`. A redirect would not do: browsers that hold the form of the page before to
/// this server (`form-action`) do so with the answers to it, too.
pub(super) fn page_leading_to(url: &str, langue: Lang, titre: &str, content: &Markup) -> Response {
    of_link(StatusCode::OK, langue, titre, Some(url), content)
}

/// The page for an error of a route for people; `detail` is that of the JSON envelope.
pub(crate) fn of_error(status: StatusCode, langue: Lang, detail: &Value) -> Response {
    let titre = langue.choose("Cela n’a pas marché", "That did not work");
    let first = || detail.as_array()?.first()?.get("msg")?.as_str();
    let said = detail.as_str().or_else(first).unwrap_or_default();
    page(status, langue, titre, &html! { p role="alert" { (said) } })
}
