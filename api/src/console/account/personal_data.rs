//! What the system knows about somebody, on the page of their account: asking for the file, and fetching it.
use axum::{extract::State, http::Method, response::Response};
use erp_core::{
    Ctx,
    personal_data::{ExportOut, StatutExport},
};
use maud::{Markup, html};

use super::super::{back_to, page::button, viewer::Viewer, words::time};
use crate::{ApiError, extract::Auteur, routes::personal_data};

/// The file, if there is one, and the button that asks for it.
pub fn section(viewer: &Viewer, export: Option<&ExportOut>) -> Markup {
    let waits = export.is_some_and(|export| export.statut == StatutExport::Pending);
    html! {
        section.carte aria-labelledby="donnees" {
            h2 #donnees { (viewer.say("Mes données", "My data")) }
            p { (viewer.say(
                "Ce que le système sait de vous, dans un fichier ZIP. Un e-mail vous dit quand il est prêt.",
                "What the system knows about you, in a ZIP file. A mail tells you when it is ready.",
            )) }
            @match export {
                Some(ExportOut { statut: StatutExport::Ready, expires_at, .. }) => {
                    p {
                        a.bouton href="/compte/donnees.zip" { (viewer.say("Télécharger", "Download")) }
                        " "
                        span.note { (viewer.say("jusqu’au ", "until ")) (time(*expires_at)) }
                    }
                }
                Some(ExportOut { statut: StatutExport::Pending, .. }) => {
                    p.note role="status" { (viewer.say("En préparation…", "Being made…")) }
                }
                Some(ExportOut { statut: StatutExport::Failed, .. }) => {
                    p.faute { (viewer.say(
                        "Le fichier n’a pas pu être fait\u{a0}: demandez-le encore, ou dites-le à un administrateur.",
                        "The file could not be made: ask for it again, or tell an administrator.",
                    )) }
                }
                None => {}
            }
            @if !waits { (button(viewer, "/compte/donnees", viewer.say("Demander le fichier", "Ask for the file"), "")) }
        }
    }
}

/// Asks for the file.
pub async fn ask(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
) -> Result<Response, ApiError> {
    personal_data::ask(&ctx, viewer.id, viewer.session, &auteur).await?;
    Ok(back_to("/compte?fait=donnees#donnees"))
}

/// The file.
pub async fn file(
    method: Method,
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
) -> Result<Response, ApiError> {
    Ok(personal_data::file(&ctx, viewer.id, &method, &auteur).await?)
}
