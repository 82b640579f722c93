//! The foot of a list: how many rows there are, and the way to the next ones.
use erp_core::page::{Cursor, Listed, Page};
use maud::{Markup, html};

use super::{
    form::{Pairs, address_with},
    viewer::Viewer,
    words::count,
};

/// How many rows `listed` has in all, and the way to the rows after it.
pub fn foot<T>(
    viewer: &Viewer,
    path: &str,
    pairs: &Pairs,
    page: &Page,
    listed: &Listed<T>,
) -> Markup {
    let pairs = pairs.without(&["apres", "offset", "limit", "fait", "n", "reste", "verifier"]);
    let next = listed.next.as_ref().and_then(Cursor::text);
    let next = next.filter(|_| listed.and_more || listed.total > page.limit);
    html! {
        p.pied {
            span {
                (count(listed.total)) @if listed.and_more { "+" }
                (viewer.say(if listed.total < 2 { " ligne" } else { " lignes" }, if listed.total == 1 { " row" } else { " rows" }))
            }
            @if page.after.is_some() {
                a href=(address_with(path, &pairs, ("limit", &page.limit.to_string()))) { (viewer.say("Début", "Start")) }
            }
            @if let Some(next) = next {
                a rel="next" href=(address_with(path, &pairs, ("apres", &next))) { (viewer.say("Suite", "Next")) " →" }
            }
        }
    }
}

/// What a list shows when it has no row.
pub fn nothing(viewer: &Viewer, fr: &'static str, en: &'static str) -> Markup {
    html! { p.vide { (viewer.say(fr, en)) } }
}
