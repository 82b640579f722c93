//! The audit: who did what, on what, from where.
use std::{collections::BTreeSet, time::Duration};

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx, Result,
    audit::{self, Acte, AuditFilter, AuditList, AuditOut, Cible, Verification},
};
use maud::{Markup, html};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    form::{Filled, Pairs},
    page::{Page, button},
    table,
    viewer::Viewer,
    words::{count, time},
};
use crate::ApiError;

const HERE: &str = "/console/audit";

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Filled { fields: list, pairs }: Filled<AuditList>,
) -> Result<Response, ApiError> {
    render(&ctx, &viewer, &list, &pairs, &html! {}).await
}

/// The page, with what following the chain has found.
pub async fn check(State(ctx): State<Ctx>, viewer: Viewer) -> Result<Response, ApiError> {
    let found = said(&viewer, verify(&ctx).await?.as_ref());
    let pairs = Pairs::default();
    render(&ctx, &viewer, &pairs.parse()?, &pairs, &found).await
}

async fn render(
    ctx: &Ctx,
    viewer: &Viewer,
    list: &AuditList,
    pairs: &Pairs,
    said: &Markup,
) -> Result<Response, ApiError> {
    let lines = audit::list(&ctx.pool, list).await?;
    let content = html! {
        (filter(viewer, &list.filter))
        (said)
        @if lines.rows.is_empty() { (table::nothing(viewer, "Aucune ligne ne correspond.", "No line matches.")) } @else {
            div.large tabindex="0" role="region" aria-label="Audit" {
                table {
                    thead { tr {
                        @for (fr, en) in [("Quand", "When"), ("Acte", "Act"), ("Qui", "Who"), ("Sur quoi", "On what"), ("Changement", "Change")] {
                            th scope="col" { (viewer.say(fr, en)) }
                        }
                    } }
                    tbody { @for line in &lines.rows { (row(viewer, line)) } }
                }
            }
        }
        (table::foot(viewer, HERE, pairs, &list.page, &lines))
        (button(viewer, &format!("{HERE}/verifier"), viewer.say("Vérifier la chaîne", "Verify the chain"), ""))
        p.note { (viewer.say("Chaque ligne porte l’empreinte de la précédente.", "Each line has the hash of the one before it.")) }
    };
    Ok(Page { viewer, at: HERE, titre: "Audit", is_live: false }.show(&content))
}

/// The longest time that a page waits for the chain; a longer one is for the command.
const PATIENCE: Duration = Duration::from_secs(10);

/// What following the chain found; `None` if there was no time for it.
async fn verify(ctx: &Ctx) -> Result<Option<Verification>> {
    // One at a time: each holds a connection while it reads.
    static VERIFYING: Mutex<()> = Mutex::const_new(());
    let _alone = VERIFYING.lock().await;
    match tokio::time::timeout(PATIENCE, audit::verify_snapshot(&ctx.pool)).await {
        Ok(found) => found.map(Some),
        Err(_) => Ok(None),
    }
}

fn said(viewer: &Viewer, found: Option<&Verification>) -> Markup {
    let Some(found) = found else {
        return html! {
            p.faute role="alert" { (viewer.say(
                "L’audit est trop long pour cette page\u{a0}: lancez «\u{a0}erp-api audit verify\u{a0}».",
                "The audit is too long for this page: run “erp-api audit verify”.",
            )) }
        };
    };
    let (rows, days) = (count(i64::try_from(found.rows).unwrap_or(i64::MAX)), found.days);
    html! {
        @if found.broken.is_empty() {
            p.fait role="status" { (viewer.say(
                format!("La chaîne est entière\u{a0}: {rows} lignes, {days} jours."),
                format!("The chain is whole: {rows} lines, {days} days."),
            )) }
        } @else {
            div.faute role="alert" {
                p { (viewer.say("La chaîne est rompue\u{a0}: prévenez qui répond de la sécurité, et gardez une copie de la base.",
                    "The chain is broken: tell whoever answers for security, and keep a copy of the database.")) }
                ul { @for broken in found.broken.iter().take(20) { li { code { (format!("{broken:?}")) } } } }
            }
        }
    }
}

fn filter(viewer: &Viewer, filter: &AuditFilter) -> Markup {
    html! {
        form.filtre method="get" action=(HERE) role="search" {
            label { (viewer.say("Acte", "Act"))
                select name="action" {
                    option value="" { (viewer.say("tous", "any")) }
                    @for one in Acte::TEXTS.iter().filter_map(|text| Acte::from_text(text)) { option value=(one.as_str()) selected[filter.action == Some(one)] { (one.as_str()) } }
                }
            }
            label { (viewer.say("Sur", "On"))
                select name="cible" {
                    option value="" { (viewer.say("tout", "anything")) }
                    @for one in Cible::TEXTS.iter().filter_map(|text| Cible::from_text(text)) { option value=(one.as_str()) selected[filter.cible == Some(one)] { (one.as_str()) } }
                }
            }
            label { (viewer.say("Son numéro", "Its id"))
                input name="cible_id" value=(filter.cible_id.as_deref().unwrap_or_default()) autocomplete="off";
            }
            label { (viewer.say("Auteur (numéro)", "Author (number)"))
                input name="user_id" inputmode="numeric" value=(filter.user_id.map(|id| id.to_string()).unwrap_or_default());
            }
            label { (viewer.say("Du", "From")) input type="date" name="date_from" value=(day(filter.date_from)); }
            label { (viewer.say("Avant le", "Before")) input type="date" name="date_to" value=(day(filter.date_to)); }
            button { (viewer.say("Filtrer", "Filter")) }
            a href=(HERE) { (viewer.say("Tout", "All")) }
        }
    }
}

fn day(time: Option<DateTime<Utc>>) -> String {
    time.map(|time| time.format("%Y-%m-%d").to_string()).unwrap_or_default()
}

fn row(viewer: &Viewer, line: &AuditOut) -> Markup {
    html! {
        tr {
            td { (time(Some(line.horodatage))) }
            th scope="row" { (line.action) }
            td {
                @if let Some(id) = line.user_id { a href={ (HERE) "?user_id=" (id) } { (viewer.say("utilisateur ", "user ")) (id) } }
                @else { (viewer.say("inconnu", "unknown")) }
                @if let Some(address) = &line.adresse_ip { div.note { (address) } }
            }
            td {
                @if let Some(cible) = &line.cible { (cible) @if let Some(id) = &line.cible_id { " " code { (id) } } }
                @if let Some(request) = line.request_id {
                    div.note { a href={ "/console/taches?request_id=" (request) } { (viewer.say("tâches de la requête", "jobs of the request")) } }
                }
            }
            td.libre { (change(line.avant.as_ref(), line.apres.as_ref())) }
        }
    }
}

/// The fields that changed, one a line.
fn change(before: Option<&Value>, after: Option<&Value>) -> Markup {
    let members =
        |value: Option<&Value>| value.and_then(Value::as_object).cloned().unwrap_or_default();
    let (before, after) = (members(before), members(after));
    let said = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    html! {
        @for name in names {
            @if before.get(name) != after.get(name) {
                div {
                    (name) ": "
                    @if before.contains_key(name) { (said(before.get(name))) " → " }
                    (said(after.get(name)))
                }
            }
        }
    }
}
