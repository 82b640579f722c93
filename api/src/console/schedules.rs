//! Schedules: when each comes due, in words and in dates; changed with a look at what the change means.
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx, Result, local,
    schedules::{self, Schedule, SchedulePatch},
};
use maud::{Markup, html};

use super::{
    back_to, cron_words,
    form::{Filled, Pairs, address},
    page::{Page, button, token},
    viewer::Viewer,
    words::{ago, time},
};
use crate::{
    ApiError,
    extract::{Auteur, Name},
    if_match::IfMatch,
    routes::admin::schedules::{edited, launched},
};

const HERE: &str = "/console/planifications";
/// Dates that are shown of each.
const TICKS: usize = 5;

/// The list.
pub async fn list(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Filled { pairs, .. }: Filled<NoFields>,
) -> Result<Response, ApiError> {
    let (all, now) = (schedules::list(&ctx.pool).await?, ctx.clock.now());
    let content = html! {
        @if pairs.get("fait") == Some("lancer") {
            p.fait role="status" { (viewer.say("Sa tâche est en file.", "Its job is enqueued.")) }
        }
        @if pairs.get("fait") == Some("modifier") {
            p.fait role="status" { (viewer.say("La planification est modifiée.", "The schedule is changed.")) }
        }
        div.large tabindex="0" role="region" aria-label=(viewer.say("Planifications", "Schedules")) {
            table {
                thead { tr {
                    @for (fr, en) in [("Planification", "Schedule"), ("Quand", "When"), ("Fuseau", "Zone"), ("Dernière", "Last"), ("Prochaine", "Next"), ("État", "State")] {
                        th scope="col" { (viewer.say(fr, en)) }
                    }
                    @if viewer.acts { th scope="col" { (viewer.say("Agir", "Act")) } }
                } }
                tbody { @for one in &all { (row(&viewer, one, now)) } }
            }
        }
    };
    let titre = viewer.say("Planifications", "Schedules");
    Ok(Page { viewer: &viewer, at: HERE, titre, is_live: true }.show(&content))
}

/// A page without fields.
#[derive(Debug, erp_core::input::Input)]
pub struct NoFields {}

fn off(viewer: &Viewer) -> Markup {
    html! { span.etat.alerte { (viewer.say("arrêtée", "off")) } }
}

fn row(viewer: &Viewer, one: &Schedule, now: DateTime<Utc>) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href={ (HERE) "/" (one.name) } { code { (one.name) } }
                div.note { a href={ "/console/taches?type=" (one.name) } { (viewer.say("ses tâches", "its jobs")) } }
            }
            td { (cron_words::say(viewer.langue, &one.cron)) div.note { code { (one.cron) } } }
            td { (one.timezone) }
            td { (time(one.last_run_at)) }
            td { (time(one.next_run_at)) @if let Some(next) = one.next_run_at { div.note { (ago(viewer.langue, next, now)) } } }
            td {
                @if one.enabled { span.etat.done { (viewer.say("active", "on")) } }
                @else { (off(viewer)) }
            }
            @if viewer.acts {
                td { (button(viewer, &format!("{HERE}/{}/lancer", one.name), viewer.say("Lancer maintenant", "Run now"), &one.name)) }
            }
        }
    }
}

/// What the form of a schedule shows: what is stored, or what was typed to be tried.
struct Shown {
    cron: String,
    timezone: String,
    enabled: bool,
    /// The version that the form was first shown with.
    version: i64,
}

/// One schedule, with its next dates.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let one = schedules::find(&ctx.pool, &name).await?;
    let Schedule { cron, timezone, enabled, version, .. } = one.clone();
    let shown = Shown { cron, timezone, enabled, version };
    Ok(render(&viewer, &one, &shown, ctx.clock.now(), &html! {}))
}

/// The dates that other fields would give. It changes nothing: a POST, so that the token of the form stands in no address.
pub async fn try_out(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Name(name): Name,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let one = schedules::find(&ctx.pool, &name).await?;
    let typed = |name: &str, stored: &str| pairs.get(name).unwrap_or(stored).trim().to_owned();
    let shown = Shown {
        cron: typed("cron", &one.cron),
        timezone: typed("timezone", &one.timezone),
        enabled: pairs.get("enabled").map_or(one.enabled, |enabled| enabled == "true"),
        version: pairs
            .get("version")
            .and_then(|version| version.parse().ok())
            .unwrap_or(one.version),
    };
    let said = html! {
        p.fait role="status" { (viewer.say("Un essai\u{a0}: rien n’est encore modifié.", "A trial: nothing is changed yet.")) }
    };
    Ok(render(&viewer, &one, &shown, ctx.clock.now(), &said))
}

fn render(
    viewer: &Viewer,
    one: &Schedule,
    shown: &Shown,
    now: DateTime<Utc>,
    said: &Markup,
) -> Response {
    let ticks = schedules::next_ticks(&shown.cron, &shown.timezone, now, TICKS);
    let content = html! {
        p { (cron_words::say(viewer.langue, &shown.cron)) ", " (shown.timezone) @if !one.enabled { " " (off(viewer)) } }
        (said)
        h2 {
            @if shown.enabled { (viewer.say("Prochaines dates", "Next dates")) }
            @else { (viewer.say("Les dates qu’elle aurait, active", "The dates that it would have, if on")) }
        }
        @if ticks.is_empty() {
            p.faute role="alert" { (viewer.say(
                "Aucune date\u{a0}: vérifiez l’expression (minute, heure, jour du mois, mois, jour de la semaine) et le fuseau.",
                "No date: check the expression (minute, hour, day of month, month, day of week) and the zone.",
            )) }
        } @else {
            ol.liste { @for tick in &ticks { li { (in_zone(*tick, &shown.timezone)) " (" (ago(viewer.langue, *tick, now)) ")" } } }
        }
        @if viewer.acts { (form(viewer, one, shown)) }
        @if let Some(last) = one.last_run_at {
            p { (viewer.say("Dernière échéance\u{a0}: ", "Last tick: ")) (time(Some(last))) ". "
                a href=(address("/console/taches", [("type", one.name.as_str())])) { (viewer.say("Ce qu’elle a donné", "What came of it")) } }
        }
    };
    Page { viewer, at: HERE, titre: &one.name, is_live: false }.show(&content)
}

fn in_zone(tick: DateTime<Utc>, zone: &str) -> String {
    let wall = local::zone(zone).map_or_else(|| tick.naive_utc(), |zone| zone.wall(tick));
    wall.format("%d/%m/%Y %H:%M").to_string()
}

fn form(viewer: &Viewer, one: &Schedule, shown: &Shown) -> Markup {
    let here = format!("{HERE}/{}", one.name);
    html! {
        h2 { (viewer.say("Modifier", "Change")) }
        form.colonne method="post" action=(here) {
            (token(viewer))
            input type="hidden" name="version" value=(shown.version);
            label for="cron" { (viewer.say("Expression cron", "Cron expression")) }
            input #cron name="cron" value=(shown.cron) required spellcheck="false" autocomplete="off";
            label for="timezone" { (viewer.say("Fuseau horaire", "Time zone")) }
            input #timezone name="timezone" value=(shown.timezone) required spellcheck="false" autocomplete="off";
            fieldset {
                legend { (viewer.say("État", "State")) }
                label.ligne { input type="radio" name="enabled" value="true" checked[shown.enabled]; (viewer.say("active", "on")) }
                label.ligne { input type="radio" name="enabled" value="false" checked[!shown.enabled]; (viewer.say("arrêtée", "off")) }
            }
            button.discret formaction={ (here) "/essayer" } { (viewer.say("Voir les dates", "See the dates")) }
            button { (viewer.say("Enregistrer", "Save")) }
        }
        (button(viewer, &format!("{here}/lancer"), viewer.say("Lancer maintenant", "Run now"), ""))
    }
}

/// Changes a schedule, unless somebody else has changed it since the form was shown.
pub async fn edit(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let patch: SchedulePatch = pairs.parse()?;
    let version = pairs.get("version").and_then(|version| version.parse().ok());
    let mut tx = ctx.begin().await?;
    edited(&ctx, &mut tx, &auteur, &name, patch, &IfMatch::of(version)).await?;
    tx.commit().await?;
    Ok(back_to(&format!("{HERE}?fait=modifier")))
}

/// Enqueues the job of a schedule at once.
pub async fn launch(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let mut tx = ctx.begin().await?;
    launched(&ctx, &mut tx, &auteur, &name).await?;
    tx.commit().await?;
    Ok(back_to(&format!("{HERE}?fait=lancer")))
}
