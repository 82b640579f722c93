//! What all pages of the console have in common: the head, the way to the other pages, and the policy for what they may load.
use axum::{
    Extension,
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use erp_core::Lang;
use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

use super::{assets::NAMES, guard::TOKEN, viewer::Viewer};
use crate::layers::OwnBody;

/// Everything comes from this server; no script, style or form stands in a page or leads elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
    frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page that a link in a mail opens has no scripts, and loads its style alone.
const POLICY_OF_LINKS: &str = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// htmx evaluates no text, writes no style into the page, asks this server only, and keeps no copies of pages in the browser.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// The pages that each other page leads to: address, name in French and in English, and whether it is for admins alone.
const PAGES: &[(&str, &str, &str, bool)] = &[
    ("/console", "Aperçu", "Overview", false),
    ("/console/taches", "Tâches", "Jobs", false),
    ("/console/echecs", "Échecs", "Dead", false),
    ("/console/emails", "E-mails", "Mails", false),
    ("/console/planifications", "Planifications", "Schedules", false),
    ("/console/audit", "Audit", "Audit", true),
    ("/console/systeme", "Système", "System", false),
];

/// A page of the console.
pub struct Page<'a> {
    pub viewer: &'a Viewer,
    /// The address of the page in [`PAGES`] that it belongs to.
    pub at: &'static str,
    pub titre: &'a str,
    /// Whether it is shown anew when something changes.
    pub is_live: bool,
}

impl Page<'_> {
    /// The page, with what it shows.
    pub fn show(&self, content: &Markup) -> Response {
        self.show_with(&html! {}, content)
    }

    /// The page, with something above what it shows that stays when that is shown anew: the form of a filter.
    pub fn show_with(&self, above: &Markup, content: &Markup) -> Response {
        let Self { viewer, at, titre, is_live } = self;
        let body = html! {
            a.evitement href="#contenu" { (viewer.say("Aller au contenu", "Skip to the content")) }
            header {
                a.marque href=(if viewer.operates { "/console" } else { "/compte" }) { "MIF Maroc" span { (viewer.say("Maintenance", "Maintenance")) } }
                nav aria-label=(viewer.say("Pages", "Pages")) {
                    @for (address, fr, en, admin) in PAGES {
                        @if viewer.operates && (!admin || viewer.acts) {
                            a href=(address) aria-current=[(address == at).then_some("page")] { (viewer.say(*fr, *en)) }
                        }
                    }
                }
                form.compte method="post" action="/console/deconnexion" {
                    (token(viewer))
                    a href="/compte" aria-current=[(*at == "/compte").then_some("page")] { bdi { (viewer.name) } }
                    button.discret { (viewer.say("Se déconnecter", "Sign out")) }
                }
            }
            main #contenu tabindex="-1" {
                h1 { (titre) }
                (above)
                @if *is_live {
                    p #perime hidden role="status" {
                        (viewer.say("Le serveur ne répond pas\u{a0}: ce qui suit n’est plus à jour.", "The server does not answer: what follows is no longer up to date."))
                    }
                    p #attente hidden role="status" {
                        (viewer.say("Des changements attendent.", "Changes are waiting."))
                        " "
                        button.discret type="button" { (viewer.say("Les afficher", "Show them")) }
                    }
                    div #vivant data-flux="/console/flux" { (content) }
                } @else { (content) }
            }
        };
        document(StatusCode::OK, viewer.langue, titre, &body)
    }
}

/// The field by which a form shows that it is of this session.
pub fn token(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(viewer.token); }
}

/// A form of one button, which changes something. `what` it is done to is heard by who does not see the row; empty where it is plain.
pub fn button(viewer: &Viewer, action: &str, label: &str, what: &str) -> Markup {
    let name = (!what.is_empty()).then(|| format!("{label} {what}"));
    html! {
        form.bouton method="post" action=(action) { (token(viewer)) button aria-label=[name] { (label) } }
    }
}

/// A page without the way to the others: for signing in, and for what went wrong.
pub fn small(status: StatusCode, langue: Lang, titre: &str, content: &Markup) -> Response {
    document(status, langue, titre, &card(titre, content))
}

fn card(titre: &str, content: &Markup) -> Markup {
    html! {
        main.petit #contenu {
            p.marque { "MIF Maroc" span { "Maintenance" } }
            h1 { (titre) }
            (content)
        }
    }
}

fn head(titre: &str, is_error: bool, langue: Lang) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width,initial-scale=1";
        meta name="color-scheme" content="light dark";
        meta name="robots" content="noindex";
        title { @if is_error { (langue.choose("Erreur", "Error")) " · " } (titre) " · MIF Maroc" }
    }
}

/// A page that a link in a mail opens; it may lead on at once to the address `leads_to`. It has no scripts, and its address, which may
/// hold a secret, goes to no other page.
pub fn of_link(
    status: StatusCode,
    langue: Lang,
    titre: &str,
    leads_to: Option<&str>,
    content: &Markup,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(langue) {
            head {
                (head(titre, !status.is_success(), langue))
                @if let Some(url) = leads_to { meta http-equiv="refresh" content={ "0;url=" (url) }; }
                // Below the routes of the API: a proxy in front of it may let nothing else through.
                link rel="stylesheet" href={ "/api/v1" (NAMES.style) };
            }
            body { (card(titre, content)) }
        }
    };
    respond(status, POLICY_OF_LINKS, "no-referrer", page)
}

/// The page for an error; `detail` is that of the JSON envelope.
pub fn of_error(status: StatusCode, langue: Lang, detail: &Value, request_id: &str) -> Response {
    let titre = langue.choose("Cela n’a pas marché", "That did not work");
    let content = html! {
        div role="alert" {
            @match detail.as_array() {
                Some(faults) => { ul { @for fault in faults { li {
                    @if let Some(field) = field_of(fault) { code { (field) } (langue.choose("\u{a0}: ", ": ")) }
                    (fault["msg"].as_str().unwrap_or_default())
                } } } }
                None => { p { (detail.as_str().unwrap_or_default()) } }
            }
        }
        p { a href="/console" { (langue.choose("Retour à l’aperçu", "Back to the overview")) } " · " a href="/compte" { (langue.choose("Mon compte", "My account")) } }
        p.note { (langue.choose("Requête ", "Request ")) code { (request_id) } }
    };
    small(status, langue, titre, &content)
}

/// The field that a fault is about.
fn field_of(fault: &Value) -> Option<&str> {
    fault["loc"].as_array()?.last()?.as_str()
}

/// A page that asks at once for `address` again, as a page of this server.
pub fn again(langue: Lang, address: &str) -> Response {
    let content = html! {
        meta http-equiv="refresh" content={ "0;url=" (address) };
        p { a href=(address) { (langue.choose("Continuer", "Go on")) } }
    };
    small(StatusCode::OK, langue, "Console", &content)
}

fn document(status: StatusCode, langue: Lang, titre: &str, body: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(langue) {
            head {
                (head(titre, !status.is_success(), langue))
                meta name="htmx-config" content=(HTMX);
                link rel="stylesheet" href=(NAMES.style);
                script src=(NAMES.htmx) defer {}
                script src=(NAMES.script) defer {}
            }
            body { (body) }
        }
    };
    respond(status, POLICY, "same-origin", page)
}

fn respond(status: StatusCode, policy: &str, referrer: &str, page: Markup) -> Response {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::REFERRER_POLICY, referrer),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Extension(OwnBody), Html(page.into_string())).into_response()
}
