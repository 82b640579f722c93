//! The things that jobs are about: small pages that only show, from a thing to its jobs, its mails and its documents, and back.
mod document;
mod intervention;
pub mod lists;
mod planning;
mod words;

use erp_core::operate::about::Thing;
use maud::{Markup, html};

pub use document::show as document;
pub use intervention::show as intervention;
pub use planning::show as planning;

use super::viewer::Viewer;

/// A link to the page of a thing; its name alone where the viewer may not open the page.
pub fn link(viewer: &Viewer, thing: Thing) -> Markup {
    let (place, name, id) = match thing {
        Thing::Intervention(id) => {
            ("objets/intervention", viewer.say("intervention ", "intervention "), id)
        }
        Thing::Document(id) => ("objets/document", viewer.say("document ", "document "), id),
        Thing::Planning(id) => ("objets/planning", viewer.say("planning ", "planning "), id),
        Thing::Mail(id) => ("emails", viewer.say("e-mail ", "mail "), id),
    };
    let is_open = viewer.acts || !matches!(thing, Thing::Mail(_));
    html! {
        @if is_open { a href={ "/console/" (place) "/" (id) } { (name) (id) } } @else { (name) (id) }
    }
}

/// Links to things, one after the other; nothing for none.
pub fn links(viewer: &Viewer, things: &[Thing]) -> Markup {
    html! {
        @for (n, thing) in things.iter().enumerate() {
            @if n > 0 { ", " }
            (link(viewer, *thing))
        }
    }
}

/// The way to the page of the application that mails link to.
fn in_application(viewer: &Viewer, address: &str) -> Markup {
    html! {
        p { a href=(address) rel="noreferrer" { (viewer.say("Ouvrir dans l’application", "Open in the application")) } }
    }
}
