//! A planning: its next visit, the visits that were opened, and the mails and jobs about it.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, equipements, interventions, mailer, notifications::outgoing_mails, operate::about,
    page::Page as Rows, planning, scope::Scope,
};
use maud::html;

use super::{in_application, lists, words};
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
    let planning = planning::find(&ctx.pool, id, Scope::All).await?;
    let machine = equipements::find(&ctx.pool, planning.equipement_id, Scope::All).await?;
    let visites = interventions::list_of_planning(&ctx.pool, id, about::MOST).await?;
    let mails = outgoing_mails::of_planning(&ctx.pool, id, about::MOST).await?;
    let jobs = about::jobs(&ctx.pool, &[], &mails).await?;
    let mails = outgoing_mails::list_of(&ctx.pool, &mails, &rows).await?;
    let content = html! {
        p { (words::planning(viewer.langue, planning.statut)) }
        dl.faits {
            dt { (viewer.say("Équipement", "Equipment")) } dd { (machine.nom) ", " (machine.localisation) }
            dt { (viewer.say("Prochaine visite", "Next visit")) } dd { (time(Some(planning.prochaine_date))) }
            dt { (viewer.say("Dernière visite", "Last visit")) } dd { (time(planning.derniere_date)) }
            dt { (viewer.say("Ouvre ses visites", "Opens its visits")) }
            dd { a href="/console/planifications/planning.generate" { code { "planning.generate" } } }
        }
        (in_application(&viewer, &mailer::lien_planning(&ctx.config.mail.frontend_url, id)))
        (lists::interventions(&viewer, &visites))
        (lists::jobs(&viewer, &jobs))
        (lists::mails(&viewer, &mails))
    };
    let titre = format!("Planning {id}");
    Ok(Page { viewer: &viewer, at: "/console/taches", titre: &titre, is_live: true }.show(&content))
}
