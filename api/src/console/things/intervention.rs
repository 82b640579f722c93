//! An intervention: its state, its documents, its mails and its jobs.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, documents, interventions, mailer,
    notifications::outgoing_mails,
    operate::about::{self, Thing},
    page::Page as Rows,
    scope::Scope,
};
use maud::html;

use super::{in_application, link, lists, words};
use crate::{
    ApiError,
    console::{page::Page, viewer::Viewer, words::time},
    extract::RowId,
};

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let rows = Rows::newest(about::MOST);
    let one = interventions::find(&ctx.pool, id, Scope::All).await?;
    let one = one.seen_at(ctx.clock.now(), &ctx.config.sla);
    let files = documents::list_of_intervention(&ctx.pool, id, &rows).await?.rows;
    let mails = outgoing_mails::of_intervention(&ctx.pool, id, about::MOST).await?;
    let file_ids: Vec<_> = files.iter().map(|document| document.id).collect();
    let jobs = about::jobs(&ctx.pool, &file_ids, &mails).await?;
    let mails = outgoing_mails::list_of(&ctx.pool, &mails, &rows).await?;
    let it = &one.intervention;
    let content = html! {
        p { (words::intervention(viewer.langue, it.statut)) @if one.en_retard { " " span.etat.alerte { (viewer.say("en retard", "late")) } } }
        dl.faits {
            dt { (viewer.say("Titre", "Title")) } dd { (it.titre) }
            dt { (viewer.say("Équipement", "Equipment")) } dd { (one.equipement.nom) ", " (one.equipement.localisation) }
            dt { (viewer.say("Priorité", "Priority")) } dd { (words::priorite(viewer.langue, it.priorite)) }
            dt { (viewer.say("Ouverte", "Opened")) } dd { (time(Some(it.date_creation))) }
            dt { (viewer.say("Pour le", "Due")) } dd { (time(it.date_limite)) }
            dt { (viewer.say("Close", "Closed")) } dd { (time(it.date_cloture)) }
            dt { (viewer.say("Technicien", "Technician")) } dd { (one.technicien.as_ref().map_or("–", |technicien| technicien.full_name.as_str())) }
            @if let Some(planning) = it.planning_id {
                dt { (viewer.say("Planning", "Planning")) } dd { (link(&viewer, Thing::Planning(planning))) }
            }
        }
        (in_application(&viewer, &mailer::lien_intervention(&ctx.config.mail.frontend_url, id)))
        (lists::jobs(&viewer, &jobs))
        (lists::documents(&viewer, &files))
        (lists::mails(&viewer, &mails))
    };
    let titre = format!("Intervention {id}");
    Ok(Page { viewer: &viewer, at: "/console/taches", titre: &titre, is_live: true }.show(&content))
}
