//! One job: what it is about, its attempts one after the other, and what may be done to it.
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx,
    operate::{self, JobAttempt, JobDetail, JobState, about},
    schedules,
};
use maud::{Markup, html};
use serde_json::Value;

use super::list::progress_of;
use crate::{
    ApiError,
    console::{
        page::{Page, token},
        things,
        viewer::Viewer,
        words::{ago, duration, impersonal, outcome, state, time},
    },
    extract::Name,
};

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Name(id): Name,
) -> Result<Response, ApiError> {
    let JobDetail { job, payload, history } = operate::find(&ctx.pool, &id).await?;
    let now = ctx.clock.now();
    let about = about::of_job(&ctx.pool, &payload).await?;
    let is_scheduled = schedules::is_known(&job.type_);
    let content = html! {
        p { (state(viewer.langue, job.state)) " " code { (job.id) } }
        @if viewer.acts { (acts(&viewer, job.state, &job.id)) }
        @if let Some(progress) = job.progress { p { (progress_of(progress, job.progress_note.as_deref())) } }
        @if let Some(error) = &job.error { pre.erreur { (impersonal(&viewer, error)) } }
        dl.faits {
            dt { (viewer.say("Créée", "Created")) } dd { (time(Some(job.created_at))) " (" (ago(viewer.langue, job.created_at, now)) ")" }
            dt { (viewer.say("Due", "Due")) } dd { (time(Some(job.run_at))) }
            dt { (viewer.say("Commencée", "Started")) } dd { (time(job.started_at)) }
            dt { (viewer.say("Terminée", "Ended")) } dd { (time(job.finished_at)) }
            dt { (viewer.say("Essais", "Attempts")) } dd { (job.attempts) " / " (job.max_attempts) }
            dt { (viewer.say("Workers disparus", "Workers lost")) } dd { (job.rescues) }
            dt { "Worker" } dd { (text(job.worker.as_deref())) }
            dt { (viewer.say("Clé", "Key")) } dd { (text(job.key.as_deref())) }
            dt { (viewer.say("Concerne", "About")) }
            dd {
                @if is_scheduled { a href={ "/console/planifications/" (job.type_) } { (viewer.say("planification ", "schedule ")) (job.type_) } }
                @else if about.is_empty() { (text(None)) } @else { (things::links(&viewer, &about)) }
            }
            dt { (viewer.say("Requête", "Request")) }
            dd {
                @match &job.request_id {
                    Some(request) => {
                        a href={ "/console/taches?request_id=" (request) } { code { (request) } }
                        @if let Some(trace) = trace(&ctx, request) { " · " a href=(trace) rel="noreferrer" { (viewer.say("sa trace", "its trace")) } }
                    }
                    None => { (text(None)) }
                }
            }
        }
        h2 { (viewer.say("Contenu", "Payload")) }
        pre { (serde_json::to_string_pretty(&masked(payload, viewer.acts)).unwrap_or_default()) }
        h2 { (viewer.say("Essais", "Attempts")) }
        (timeline(&viewer, &history))
    };
    Ok(Page { viewer: &viewer, at: "/console/taches", titre: &job.type_, is_live: true }
        .show(&content))
}

fn text(text: Option<&str>) -> Markup {
    html! { @if let Some(text) = text { code { (text) } } @else { span.rien { "–" } } }
}

/// The address of the trace of a request, by `TRACE_URL_TEMPLATE`.
fn trace(ctx: &Ctx, request_id: &str) -> Option<String> {
    Some(ctx.config.http.trace_url.as_deref()?.replace("{request_id}", request_id))
}

fn acts(viewer: &Viewer, state: JobState, id: &str) -> Markup {
    let ended = matches!(state, JobState::Done | JobState::Dead | JobState::Cancelled);
    let may = |act: &str| match act {
        "relancer" => !matches!(state, JobState::Running | JobState::Done | JobState::Ready),
        "annuler" => !ended,
        _ => ended,
    };
    let label = |act, fr, en| match (act, state) {
        ("relancer", JobState::Scheduled | JobState::Retrying) => {
            viewer.say("Lancer maintenant", "Run now")
        }
        _ => viewer.say(fr, en),
    };
    html! {
        div.actes {
            @for (act, fr, en) in super::act::ACTS {
                @if may(act) && *act == "supprimer" {
                    // Nothing brings it back: shown first.
                    a.bouton href={ "/console/taches/agir?acte=" (act) "&id=" (id) } { (label(*act, *fr, *en)) "…" }
                } @else if may(act) {
                    form.bouton method="post" action="/console/taches/agir" {
                        (token(viewer))
                        input type="hidden" name="acte" value=(act);
                        input type="hidden" name="id" value=(id);
                        input type="hidden" name="retour" value="tache";
                        button { (label(*act, *fr, *en)) }
                    }
                }
            }
        }
    }
}

/// The payload without what nobody should read over a shoulder; without addresses of people, too, for who only reads.
fn masked(mut payload: Value, acts: bool) -> Value {
    const SECRETS: [&str; 6] = ["secret", "password", "token", "jeton", "passe", "lien"];
    const ADDRESSES: [&str; 2] = ["email", "adresse"];
    match &mut payload {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                let is_one_of = |words: &[&str]| name.split('_').any(|word| words.contains(&word));
                let is_hidden = is_one_of(&SECRETS) || !acts && is_one_of(&ADDRESSES);
                *value =
                    if is_hidden { Value::from("•••") } else { masked(value.take(), acts) };
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = masked(item.take(), acts);
            }
        }
        _ => {}
    }
    payload
}

fn timeline(viewer: &Viewer, history: &[JobAttempt]) -> Markup {
    if history.is_empty() {
        return html! { p.vide { (viewer.say("Aucun essai n’a fini.", "No attempt has ended.")) } };
    }
    html! {
        ol.frise {
            @for attempt in history {
                li {
                    strong { (viewer.say("Essai ", "Attempt ")) (attempt.attempt) } " · "
                    (outcome(viewer.langue, &attempt.outcome)) " · " (time(Some(attempt.ended_at)))
                    @if let Some(took) = took(attempt.started_at, attempt.ended_at) { " · " (duration(viewer.langue, took)) }
                    @if let Some(worker) = &attempt.worker { " · " code { (worker) } }
                    @if let Some(error) = &attempt.error { pre.erreur { (impersonal(viewer, error)) } }
                }
            }
        }
    }
}

fn took(started: Option<DateTime<Utc>>, ended: DateTime<Utc>) -> Option<chrono::TimeDelta> {
    started.map(|started| ended - started)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_of_a_payload_are_masked_however_deep() {
        let payload = json!({ "client_id": 7, "avis": { "jeton": "abc", "liste": [{ "mot_de_passe": "x", "nom": "y" }] }, "email": "a@b.ma" });
        let shown = json!({ "client_id": 7, "avis": { "jeton": "•••", "liste": [{ "mot_de_passe": "•••", "nom": "y" }] }, "email": "a@b.ma" });
        assert_eq!(masked(payload.clone(), true), shown);
        assert_eq!(masked(payload, false)["email"], json!("•••"));
    }
}
