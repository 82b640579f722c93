//! The list of jobs. Its filter is its address, which can be sent to a colleague.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, catalogue,
    operate::{self, JobFilter, JobList, JobOut, JobState},
    page::Listed,
};
use maud::{Markup, html};

use crate::{
    ApiError,
    console::{
        form::{Filled, Pairs},
        page::Page,
        table,
        viewer::Viewer,
        words::{count, impersonal, short, state, state_name, time},
    },
};

const HERE: &str = "/console/taches";

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Filled { fields: list, pairs }: Filled<JobList>,
) -> Result<Response, ApiError> {
    let jobs = operate::list(&ctx.pool, &list).await?;
    let content = html! {
        (done(&viewer, &pairs))
        form method="get" action={ (HERE) "/agir" } {
            @for (name, value) in pairs.without(&["apres", "offset", "limit", "fait", "n", "reste", "acte", "portee", "id", "vu", "retour"]) {
                input type="hidden" name=(name) value=(value);
            }
            @if viewer.acts && !jobs.rows.is_empty() { (acts(&viewer, &jobs, &list.filter)) }
            (rows(&viewer, &jobs))
        }
        (table::foot(&viewer, HERE, &pairs, &list.page, &jobs))
    };
    let titre = viewer.say("Tâches", "Jobs");
    let page = Page { viewer: &viewer, at: HERE, titre, is_live: true };
    Ok(page.show_with(&filter(&viewer, &list.filter), &content))
}

/// What was just done.
fn done(viewer: &Viewer, pairs: &Pairs) -> Markup {
    let number = pairs.get("n").and_then(|n| n.parse().ok()).unwrap_or(0_i64);
    let said = match pairs.get("fait") {
        Some("relancer") => viewer.say("relancées", "run again"),
        Some("annuler") => viewer.say("annulées", "cancelled"),
        Some("supprimer") => viewer.say("supprimées", "deleted"),
        _ => return html! {},
    };
    html! {
        p.fait role="status" {
            (viewer.say("Tâches ", "Jobs ")) (said) (viewer.say("\u{a0}: ", ": ")) (count(number)) "."
            @if pairs.get("reste").is_some() {
                (viewer.say(
                    " Il en reste\u{a0}: recommencez pour les mille suivantes.",
                    " There are more: do it again for the next thousand.",
                ))
            }
        }
    }
}

fn filter(viewer: &Viewer, filter: &JobFilter) -> Markup {
    let at = |time: Option<chrono::DateTime<chrono::Utc>>| {
        time.map(|time| time.format("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default()
    };
    html! {
        form.filtre method="get" action=(HERE) role="search" {
            label { (viewer.say("Type", "Type"))
                input name="type" list="types" value=(filter.type_.as_deref().unwrap_or_default()) autocomplete="off" spellcheck="false";
            }
            datalist #types { @for queue in catalogue::QUEUES { option value=(queue); } }
            label { (viewer.say("État", "State"))
                select name="state" {
                    option value="" { (viewer.say("tous", "any")) }
                    @for one in JobState::TEXTS.iter().filter_map(|text| JobState::from_text(text)) {
                        option value=(one.as_str()) selected[filter.state == Some(one)] { (state_name(viewer.langue, one)) }
                    }
                }
            }
            label { (viewer.say("Erreur contenant", "Error with"))
                input name="error" value=(filter.error.as_deref().unwrap_or_default()) autocomplete="off";
            }
            label { (viewer.say("Requête", "Request"))
                input name="request_id" value=(filter.request_id.map(|id| id.to_string()).unwrap_or_default()) autocomplete="off" spellcheck="false";
            }
            label { (viewer.say("Clé", "Key"))
                input name="key" value=(filter.key.as_deref().unwrap_or_default()) autocomplete="off" spellcheck="false";
            }
            @if let Some(alike) = &filter.error_alike { input type="hidden" name="error_alike" value=(alike); }
            label { (viewer.say("Créée après (UTC)", "Created after (UTC)"))
                input type="datetime-local" name="created_from" value=(at(filter.created_from));
            }
            label { (viewer.say("et avant", "and before"))
                input type="datetime-local" name="created_to" value=(at(filter.created_to));
            }
            button { (viewer.say("Filtrer", "Filter")) }
            a href=(HERE) { (viewer.say("Tout", "All")) }
        }
        @if filter.error_alike.is_some() { p.note { (viewer.say("Un groupe d’échecs\u{a0}: les tâches qui ont échoué de la même façon.", "A group of dead jobs: those that failed alike.")) } }
    }
}

/// What may be done to the selected rows, or to all of the filter.
fn acts(viewer: &Viewer, jobs: &Listed<JobOut>, filter: &JobFilter) -> Markup {
    html! {
        fieldset.actes {
            legend.cache { (viewer.say("Agir sur des tâches", "Act on jobs")) }
            label { input type="radio" name="portee" value="choix" checked; (viewer.say("les tâches cochées", "the ticked jobs")) }
            @if !filter.is_empty() {
                label {
                    input type="radio" name="portee" value="toutes";
                    (viewer.say("toutes celles du filtre (", "all of the filter ("))
                    (count(jobs.total)) @if jobs.and_more { "+" } ")"
                }
            }
            @for (act, fr, en) in super::act::ACTS {
                button name="acte" value=(act) { (viewer.say(*fr, *en)) "…" }
            }
        }
    }
}

fn rows(viewer: &Viewer, jobs: &Listed<JobOut>) -> Markup {
    if jobs.rows.is_empty() {
        return table::nothing(
            viewer,
            "Aucune tâche ne correspond à ce filtre.",
            "No job matches this filter.",
        );
    }
    table(viewer, &jobs.rows, viewer.acts)
}

/// Jobs, to look at.
pub fn shown(viewer: &Viewer, jobs: &[JobOut]) -> Markup {
    table(viewer, jobs, false)
}

fn table(viewer: &Viewer, jobs: &[JobOut], may_tick: bool) -> Markup {
    html! {
        div.large tabindex="0" role="region" aria-label=(viewer.say("Tâches", "Jobs")) {
            table {
                thead { tr {
                    @if may_tick { th scope="col" { input type="checkbox" data-tout hidden aria-label=(viewer.say("Tout cocher", "Tick all")); } }
                    @for (fr, en) in [("Tâche", "Job"), ("État", "State"), ("Essais", "Attempts"), ("Créée", "Created"), ("Due", "Due"), ("Erreur ou avancement", "Error or progress")] {
                        th scope="col" { (viewer.say(fr, en)) }
                    }
                } }
                tbody { @for job in jobs { (row(viewer, job, may_tick)) } }
            }
        }
    }
}

fn row(viewer: &Viewer, job: &JobOut, may_tick: bool) -> Markup {
    html! {
        tr {
            @if may_tick { td { input type="checkbox" name="id" value=(job.id) aria-label=(job.id); } }
            th scope="row" {
                a href={ (HERE) "/" (job.id) } { code { (job.type_) } }
                div.note { code { (job.id) } @if let Some(key) = &job.key { " · " code { (short(key, 60)) } } }
            }
            td { (state(viewer.langue, job.state)) }
            td.nombre { (job.attempts) " / " (job.max_attempts) }
            td { (time(Some(job.created_at))) }
            td { (time(Some(job.run_at))) }
            td.libre {
                @if let Some(error) = &job.error { code.erreur { (short(&impersonal(viewer, error), 160)) } }
                @else if let Some(progress) = job.progress { (progress_of(progress, job.progress_note.as_deref())) }
            }
        }
    }
}

/// How far a job says it is.
pub fn progress_of(progress: f32, note: Option<&str>) -> Markup {
    html! {
        progress max="1" value=(progress) { (format!("{:.0}", progress * 100.0)) " %" }
        @if let Some(note) = note { " " (short(note, 120)) }
    }
}
