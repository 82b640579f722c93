//! Dead jobs, by how they failed: one cause is one line, and one button when it is repaired.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx,
    operate::{self, DeadGroup},
};
use maud::{Markup, html};

use super::{
    form::address,
    page::Page,
    table,
    viewer::Viewer,
    words::{ago, count, impersonal, short},
};
use crate::ApiError;

const HERE: &str = "/console/echecs";

/// The page.
pub async fn show(State(ctx): State<Ctx>, viewer: Viewer) -> Result<Response, ApiError> {
    let (groups, now) = (operate::dead_groups(&ctx.pool).await?, ctx.clock.now());
    let content = html! {
        p { (viewer.say(
            "Une tâche en échec n’est plus essayée. Réparez sa cause, puis relancez son groupe\u{a0}; ce qui ne doit plus se faire se supprime. Les groupes sont ceux des 10\u{202f}000 derniers échecs.",
            "A dead job is not tried again. Repair its cause, then run its group again; what is not wanted any more is deleted. The groups are of the latest 10 000 dead jobs.",
        )) }
        @if groups.is_empty() {
            (table::nothing(&viewer, "Aucune tâche n’est en échec.", "No job is dead."))
        } @else {
            div.large tabindex="0" role="region" aria-label=(viewer.say("Échecs", "Dead jobs")) {
                table {
                    thead { tr {
                        @for (fr, en) in [("Type et erreur", "Type and error"), ("Tâches", "Jobs"), ("Première", "First"), ("Dernière", "Last")] {
                            th scope="col" { (viewer.say(fr, en)) }
                        }
                        @if viewer.acts { th scope="col" { (viewer.say("Agir", "Act")) } }
                    } }
                    tbody { @for group in &groups { (row(&viewer, group, now)) } }
                }
            }
        }
    };
    let titre = viewer.say("Échecs", "Dead jobs");
    Ok(Page { viewer: &viewer, at: HERE, titre, is_live: true }.show(&content))
}

fn row(viewer: &Viewer, group: &DeadGroup, now: chrono::DateTime<chrono::Utc>) -> Markup {
    let filter = || {
        [("type", group.type_.as_str()), ("state", "dead"), ("error_alike", group.alike.as_str())]
            .into_iter()
    };
    let acting = |act| {
        address("/console/taches/agir", filter().chain([("acte", act), ("portee", "toutes")]))
    };
    let error = impersonal(viewer, &group.error);
    html! {
        tr {
            th scope="row" {
                a href=(address("/console/taches", filter())) { code { (group.type_) } }
                div { code.erreur { @if group.error.is_empty() { (viewer.say("sans erreur", "without an error")) } @else { (error) } } }
            }
            td.nombre { (count(group.count)) }
            td { (ago(viewer.langue, group.first_seen, now)) }
            td { (ago(viewer.langue, group.last_seen, now)) }
            @if viewer.acts {
                td {
                    a.bouton href=(acting("relancer")) aria-label={ (viewer.say("Relancer…", "Run again…")) " " (group.type_) ", " (short(&error, 100)) } { (viewer.say("Relancer…", "Run again…")) }
                    " "
                    a.bouton href=(acting("supprimer")) aria-label={ (viewer.say("Supprimer…", "Delete…")) " " (group.type_) ", " (short(&error, 100)) } { (viewer.say("Supprimer…", "Delete…")) }
                }
            }
        }
    }
}
