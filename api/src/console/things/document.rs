//! A document: its state, its jobs, and the intervention that it belongs to.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, documents, mailer,
    operate::about::{self, Thing},
};
use maud::html;

use super::{in_application, link, lists, words};
use crate::{
    ApiError,
    console::{
        page::Page,
        viewer::Viewer,
        words::{impersonal, room, time},
    },
    extract::RowId,
};

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let document = documents::find(&ctx.pool, id).await?;
    let jobs = about::jobs(&ctx.pool, &[id], &[]).await?;
    let intervention = document.intervention_id;
    let content = html! {
        p { (words::document(viewer.langue, document.status)) }
        @if let Some(error) = &document.error { pre.erreur { (impersonal(&viewer, error)) } }
        dl.faits {
            dt { (viewer.say("Nom", "Name")) } dd { (document.filename) }
            dt { (viewer.say("Intervention", "Intervention")) } dd { (link(&viewer, Thing::Intervention(intervention))) }
            dt { (viewer.say("Déposé", "Uploaded")) }
            dd { (time(Some(document.date_upload))) @if let Some(name) = &document.depose_par_nom { ", " bdi { (name) } } }
            dt { (viewer.say("Type", "Type")) } dd { (document.content_type) }
            dt { (viewer.say("Taille", "Size")) } dd { (room(viewer.langue, document.size_bytes)) }
            dt { "SHA-256" } dd { code { (document.sha256) } }
        }
        (in_application(&viewer, &mailer::lien_intervention(&ctx.config.mail.frontend_url, intervention)))
        (lists::jobs(&viewer, &jobs))
    };
    let titre = format!("Document {id}");
    Ok(Page { viewer: &viewer, at: "/console/taches", titre: &titre, is_live: true }.show(&content))
}
