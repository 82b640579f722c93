//! The lines of `erp-worker doctor`, as they are from this program.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Config, Ctx,
    doctor::{self, Check, Finding},
};
use maud::{Markup, html};

use super::{
    kept::{Kept, Lines, Looked},
    viewer::Viewer,
    words::{ago, impersonal, typeset},
};

/// The longest time that a look takes, and so the first page that asks for one.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the database says is kept for so long, however often it is asked for.
const INSIDE: TimeDelta = TimeDelta::seconds(10);
/// The same for what is outside: each look writes a file and calls the mail server.
const OUTSIDE: TimeDelta = TimeDelta::seconds(60);
/// The same after a login that may have failed: mail servers lock who fails too often.
const FAILED_LOGIN: TimeDelta = TimeDelta::minutes(5);

/// What is asked for by REST, where a page has a button for it.
const BUTTONS: &[(&str, &str, &str, &str)] = &[
    (
        "GET /api/v1/admin/jobs?state=dead",
        "/console/echecs",
        "la page Échecs",
        "the page Dead jobs",
    ),
    (
        "POST /api/v1/admin/queues/",
        "/console",
        "reprenez-les dans l’aperçu",
        "resume them on the overview",
    ),
    (
        "PUT /api/v1/admin/schedules/",
        "/console/planifications",
        "la page Planifications",
        "the page Schedules",
    ),
];

/// The looks of all who have the page open.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    inside: Kept,
    outside: Kept,
}

/// What the latest looks have found; nothing where one has never come to its end.
pub struct Seen {
    inside: Option<Looked>,
    outside: Option<Looked>,
}

impl Checks {
    /// What is found now, or was found before.
    pub async fn look(&self, ctx: &Ctx) -> Seen {
        let inside = self
            .inside
            .look(ctx, async |ctx: Ctx| (doctor::look_inside(&ctx, PATIENCE).await, INSIDE));
        let outside = self.outside.look(ctx, async |ctx: Ctx| {
            let lines = doctor::look_outside(&ctx, PATIENCE).await;
            let time = rest(&ctx.config, &lines);
            (lines, time)
        });
        let (inside, outside) = tokio::join!(inside, outside);
        Seen { inside, outside }
    }
}

/// How long to leave what is outside alone after such a look.
fn rest(config: &Config, lines: &Lines) -> TimeDelta {
    let failed =
        |(check, finding): &(_, _)| *check == Check::Smtp && matches!(finding, Finding::Bad { .. });
    let signs_in = config.mail.smtp.user.is_some();
    if signs_in && lines.iter().any(failed) { FAILED_LOGIN } else { OUTSIDE }
}

/// The lines, with what to do where something is not good.
pub fn show(viewer: &Viewer, seen: &Seen, now: DateTime<Utc>) -> Markup {
    let age = |looked: &Option<Looked>| match looked {
        None => viewer.say("jamais abouti", "never came to an end").to_owned(),
        Some(looked) if now - looked.at < TimeDelta::seconds(1) => {
            viewer.say("à l’instant", "just now").to_owned()
        }
        Some(looked) => ago(viewer.langue, looked.at, now),
    };
    let lines = [&seen.inside, &seen.outside].into_iter().flatten().flat_map(|one| &one.lines);
    html! {
        section aria-labelledby="verifications" {
            h2 #verifications { (viewer.say("Vérifications", "Checks")) }
            div.large.etroite tabindex="0" role="region" aria-labelledby="verifications" {
                table {
                    thead { tr {
                        @for (fr, en) in [("Quoi", "What"), ("État", "State"), ("Ce qui est trouvé, et quoi faire", "What was found, and what to do")] {
                            th scope="col" { (viewer.say(fr, en)) }
                        }
                    } }
                    tbody { @for (check, finding) in lines { (line(viewer, *check, finding)) } }
                }
            }
            p.note {
                (viewer.say(
                    "Ce que «\u{a0}erp-worker doctor\u{a0}» vérifie, vu de cette API, ",
                    "What “erp-worker doctor” checks, as seen from this API, ",
                ))
                (age(&seen.inside)) (viewer.say("\u{a0}; les fichiers et les e-mails, ", "; files and mails, ")) (age(&seen.outside))
                (viewer.say(
                    ". Un worker, ailleurs, peut voir autre chose\u{a0}: lancez-y la commande.",
                    ". A worker, elsewhere, may see something else: run the command there.",
                ))
            }
        }
    }
}

/// A line. What was found names hosts and paths, and quotes errors: it is for those who can do something about it.
fn line(viewer: &Viewer, check: Check, finding: &Finding) -> Markup {
    let (class, fr, en) = match finding {
        Finding::Good(_) => ("done", "bon", "good"),
        Finding::Attention { .. } => ("alerte", "attention", "attention"),
        Finding::Bad { .. } => ("dead", "échec", "failed"),
        Finding::Skipped(_) => ("cancelled", "non vérifié", "not checked"),
    };
    let found = viewer.acts || matches!(finding, Finding::Skipped(_));
    let found = found.then(|| finding.found().in_lang(viewer.langue));
    html! {
        tr {
            th scope="row" { (check.name(viewer.langue)) }
            td { span class={ "etat " (class) } { (viewer.say(fr, en)) } }
            td.libre {
                @if let Some(found) = found { (typeset(viewer.langue, &impersonal(viewer, found))) }
                @if let Some(todo) = finding.todo() { div { "→ " (to_do(viewer, todo.in_lang(viewer.langue))) } }
            }
        }
    }
}

/// What to do, with the way to the button instead of the call.
fn to_do(viewer: &Viewer, text: &str) -> Markup {
    let typeset = |text| typeset(viewer.langue, text);
    let call = BUTTONS.iter().find_map(|&(call, page, fr, en)| {
        let (before, after) = text.split_once(call)?;
        let end = after.find([' ', ',']).unwrap_or(after.len());
        Some((before, page, viewer.say(fr, en), after.split_at(end).1))
    });
    html! {
        @match call {
            Some((before, page, name, after)) => { (typeset(before)) a href=(page) { (name) } (typeset(after)) }
            None => { (typeset(text)) }
        }
    }
}
