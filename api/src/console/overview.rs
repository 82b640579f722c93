//! The overview: what needs a person, the queues, who works, and what comes next.
use std::collections::BTreeMap;

use axum::{extract::State, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Ctx, Result,
    notifications::outgoing_mails,
    operate::{
        self, QueueOut, WorkerOut,
        breakers::{self, BreakerOut},
        limits::{self, Limit},
        programs::{self, Count, ProgramOut},
    },
    page::MOST_COUNTED,
    schedules::{self, Schedule},
};
use maud::{Markup, html};

use super::{
    chart, needs,
    page::{Page, token},
    viewer::Viewer,
    words::{ago, count, duration, mebibytes, time, whole},
};
use crate::ApiError;

/// How far back mails in doubt are counted.
const DOUBTED_FOR: TimeDelta = TimeDelta::days(7);

/// What the overview shows.
pub struct Overview {
    pub queues: Vec<QueueOut>,
    pub workers: Vec<WorkerOut>,
    pub breakers: Vec<BreakerOut>,
    pub schedules: Vec<Schedule>,
    pub programs: Vec<ProgramOut>,
    pub rates: BTreeMap<String, Vec<Count>>,
    pub limits: Vec<Limit>,
    pub mails_in_doubt: i64,
    pub now: DateTime<Utc>,
}

impl Overview {
    async fn read(ctx: &Ctx) -> Result<Self> {
        let now = ctx.clock.now();
        let queues = operate::queues(&ctx.pool).await?;
        let workers = operate::workers(&ctx.pool).await?;
        let rates = programs::rates(&ctx.pool).await?;
        Ok(Self {
            limits: limits::list(ctx, &queues, &workers, &rates).await?,
            queues,
            workers,
            rates,
            breakers: breakers::list(&ctx.pool).await?,
            schedules: schedules::list(&ctx.pool).await?,
            programs: programs::programs(&ctx.pool).await?,
            mails_in_doubt: outgoing_mails::count_in_doubt(&ctx.pool, now - DOUBTED_FOR).await?,
            now,
        })
    }
}

/// The page.
pub async fn show(State(ctx): State<Ctx>, viewer: Viewer) -> Result<Response, ApiError> {
    let overview = Overview::read(&ctx).await?;
    let content = html! {
        (needs::show(&viewer, &overview))
        (queues(&viewer, &overview))
        (workers(&viewer, &overview))
        (super::limits::show(&viewer, &overview.limits))
        (next(&viewer, &overview))
    };
    let titre = viewer.say("Aperçu", "Overview");
    Ok(Page { viewer: &viewer, at: "/console", titre, is_live: true }.show(&content))
}

fn queues(viewer: &Viewer, overview: &Overview) -> Markup {
    html! {
        section aria-labelledby="files" {
            h2 #files { (viewer.say("Files d’attente", "Queues")) }
            div.large tabindex="0" role="region" aria-labelledby="files" {
                table {
                    thead { tr {
                        th scope="col" { (viewer.say("File", "Queue")) }
                        th scope="col" { (viewer.say("État", "State")) }
                        @for (fr, en) in [("Prêtes", "Ready"), ("En cours", "Running"), ("En reprise", "Retrying"), ("À venir", "Scheduled"), ("Échecs", "Dead")] {
                            th.nombre scope="col" { (viewer.say(fr, en)) }
                        }
                        th.nombre scope="col" { (viewer.say("Attend depuis", "Oldest waits")) }
                        th scope="col" { (viewer.say("Dernière heure", "Last hour")) }
                        th scope="col" { (viewer.say("À la fois, par worker", "At once, per worker")) }
                    } }
                    tbody { @for queue in &overview.queues { (row(viewer, queue, overview.rates.get(&queue.name))) } }
                }
            }
        }
    }
}

fn row(viewer: &Viewer, queue: &QueueOut, rates: Option<&Vec<Count>>) -> Markup {
    let name = &queue.name;
    // The ready and the running are counted together, up to the limit, and so are the two that wait.
    let due = queue.ready + queue.running >= MOST_COUNTED;
    let later = queue.scheduled + queue.retrying >= MOST_COUNTED;
    let counted = |number: i64, state: &str, is_capped: bool| {
        html! {
            td.nombre {
                @if number == 0 { span.rien { "0" } } @else {
                    a href={ "/console/taches?type=" (name) "&state=" (state) } { (count(number)) @if is_capped { "+" } }
                }
            }
        }
    };
    let oldest = queue.oldest_ready_seconds.map(|seconds| duration(viewer.langue, whole(seconds)));
    html! {
        tr {
            th scope="row" { a href={ "/console/taches?type=" (name) } { code { (name) } } }
            td {
                @if queue.paused {
                    span.etat.alerte { (viewer.say("suspendue", "paused")) }
                    @if let Some(by) = &queue.paused_by { " " (viewer.say("par ", "by ")) bdi { (by) } }
                } @else if !viewer.acts { (viewer.say("en service", "in service")) }
                @if viewer.acts {
                    @let (act, label) = if queue.paused { ("reprendre", viewer.say("Reprendre", "Resume")) } else { ("suspendre", viewer.say("Suspendre", "Pause")) };
                    " "
                    form.bouton method="post" action={ "/console/files/" (name) "/" (act) } {
                        (token(viewer))
                        button.discret aria-label={ (label) " " (name) } { (label) }
                    }
                }
            }
            (counted(queue.ready, "ready", due))
            (counted(queue.running, "running", due))
            (counted(queue.retrying, "retrying", later))
            (counted(queue.scheduled, "scheduled", later))
            (counted(queue.dead, "dead", queue.dead >= MOST_COUNTED))
            td.nombre { (oldest.unwrap_or_else(|| "–".to_owned())) }
            td.heure { @if let Some(rates) = rates { (chart::show(viewer, &queue.name, rates)) } @else { span.rien { "–" } } }
            td { (concurrency(viewer, queue)) }
        }
    }
}

fn concurrency(viewer: &Viewer, queue: &QueueOut) -> Markup {
    let set = queue.concurrency.map(|limit| limit.to_string());
    html! {
        @if viewer.acts {
            form.bouton method="post" action={ "/console/files/" (queue.name) "/reglage" } {
                (token(viewer))
                input type="number" name="concurrency" min="1" max="1000" value=(set.unwrap_or_default())
                    placeholder=(viewer.say("auto", "auto"))
                    aria-label={ (viewer.say("À la fois, par worker\u{a0}: ", "At once, per worker: ")) (queue.name) };
                button.discret aria-label={ (viewer.say("Régler ", "Set ")) (queue.name) } { (viewer.say("Régler", "Set")) }
            }
        } @else { (set.unwrap_or_else(|| viewer.say("auto", "auto").to_owned())) }
    }
}

fn workers(viewer: &Viewer, overview: &Overview) -> Markup {
    let now = overview.now;
    html! {
        section aria-labelledby="workers" {
            h2 #workers { "Workers" }
            @if overview.workers.is_empty() {
                p.vide { (viewer.say(
                    "Aucun worker n’a donné signe de vie depuis un jour\u{a0}: démarrez-en un (erp-worker), les tâches attendent.",
                    "No worker was heard of for a day: start one (erp-worker), the jobs wait.",
                )) }
            } @else {
                div.large tabindex="0" role="region" aria-labelledby="workers" {
                    table {
                        thead { tr {
                            th scope="col" { (viewer.say("Processus", "Process")) }
                            th scope="col" { (viewer.say("Version", "Version")) }
                            th.nombre scope="col" { (viewer.say("Mémoire", "Memory")) }
                            th.nombre scope="col" { (viewer.say("Tâches en cours", "Running jobs")) }
                            th scope="col" { (viewer.say("Démarré", "Started")) }
                            th scope="col" { (viewer.say("Vu", "Seen")) }
                            th scope="col" { (viewer.say("Files", "Queues")) }
                        } }
                        tbody {
                            @for worker in &overview.workers {
                                @let program = overview.programs.iter().find(|program| program.instance == worker.id);
                                tr {
                                    th scope="row" { code { (worker.id) } }
                                    td { (program.map_or("–", |program| program.version.as_str())) }
                                    td.nombre { (program.and_then(|program| program.memoire_octets).map_or_else(|| "–".to_owned(), |bytes| mebibytes(viewer.langue, bytes))) }
                                    td.nombre {
                                        @if worker.running == 0 { "0" } @else { a href="/console/taches?state=running" { (worker.running) } }
                                    }
                                    td { @if let Some(started) = worker.started_at { (ago(viewer.langue, started, now)) } }
                                    td {
                                        @if !worker.lives(now) { span.etat.alerte { (ago(viewer.langue, worker.last_seen, now)) } }
                                        @else { (ago(viewer.langue, worker.last_seen, now)) }
                                    }
                                    td { details { summary { (worker.queues.len()) } ul { @for queue in &worker.queues { li { code { (queue) } } } } } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn next(viewer: &Viewer, overview: &Overview) -> Markup {
    let mut due: Vec<_> =
        overview.schedules.iter().filter(|schedule| schedule.next_run_at.is_some()).collect();
    due.sort_by_key(|schedule| schedule.next_run_at);
    html! {
        section aria-labelledby="suite" {
            h2 #suite { (viewer.say("Prochaines échéances", "Due next")) }
            @if due.is_empty() { p.vide { (viewer.say("Aucune planification n’est active.", "No schedule is active.")) } }
            ol.liste {
                @for schedule in due.iter().take(5) {
                    li {
                        a href={ "/console/planifications/" (schedule.name) } { code { (schedule.name) } }
                        " " (time(schedule.next_run_at))
                        @if let Some(at) = schedule.next_run_at { " (" (ago(viewer.langue, at, overview.now)) ")" }
                    }
                }
            }
        }
    }
}
