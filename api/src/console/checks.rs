//! The lines of `erp-worker doctor`, as they are from this program.
use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Ctx,
    doctor::{self, Check, Finding},
};
use maud::{Markup, html};
use tokio::sync::Mutex;

use super::{
    viewer::Viewer,
    words::{ago, impersonal},
};

/// The longest time that a page waits for the checks.
const PATIENCE: Duration = Duration::from_secs(3);
/// What was found is shown for so long, however often it is asked for: each look writes a file and calls the mail server.
const KEPT: TimeDelta = TimeDelta::seconds(10);

/// What the last look has found, and when.
#[derive(Debug, Clone)]
pub struct Looked {
    at: DateTime<Utc>,
    lines: Vec<(Check, Finding)>,
}

/// One look for all who have the page open.
#[derive(Debug, Clone, Default)]
pub struct Checks(Arc<Mutex<Option<Looked>>>);

impl Checks {
    /// What is found now, or was found a moment ago.
    pub async fn look(&self, ctx: &Ctx) -> Looked {
        let mut kept = self.0.lock().await;
        if let Some(looked) = kept.as_ref().filter(|looked| ctx.clock.now() - looked.at < KEPT) {
            return looked.clone();
        }
        let lines = doctor::look(ctx, PATIENCE).await;
        kept.insert(Looked { at: ctx.clock.now(), lines }).clone()
    }
}

/// The lines, with what to do where something is not good.
pub fn show(viewer: &Viewer, looked: &Looked, now: DateTime<Utc>) -> Markup {
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
                    tbody { @for (check, finding) in &looked.lines { (line(viewer, *check, finding)) } }
                }
            }
            p.note {
                (viewer.say(
                    "Ce que «\u{a0}erp-worker doctor\u{a0}» vérifie, vu de cette API, ",
                    "What “erp-worker doctor” checks, as seen from this API, ",
                ))
                @if now - looked.at < TimeDelta::seconds(1) { (viewer.say("à l’instant", "just now")) } @else { (ago(viewer.langue, looked.at, now)) }
                (viewer.say(
                    ". Un worker, ailleurs, peut voir autre chose\u{a0}: lancez-y la commande.",
                    ". A worker, elsewhere, may see something else: run the command there.",
                ))
            }
        }
    }
}

fn line(viewer: &Viewer, check: Check, finding: &Finding) -> Markup {
    let (class, fr, en) = match finding {
        Finding::Good(_) => ("done", "bon", "good"),
        Finding::Attention { .. } => ("alerte", "attention", "attention"),
        Finding::Bad { .. } => ("dead", "échec", "failed"),
        Finding::Skipped(_) => ("cancelled", "non vérifié", "not checked"),
    };
    let found = finding.found().in_lang(viewer.langue);
    html! {
        tr {
            th scope="row" { (check.name(viewer.langue)) }
            td { span class={ "etat " (class) } { (viewer.say(fr, en)) } }
            td.libre {
                (impersonal(viewer, found))
                @if let Some(todo) = finding.todo() { div { "→ " (todo.in_lang(viewer.langue)) } }
            }
        }
    }
}
