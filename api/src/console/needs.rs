//! What needs a person, the worst first: each with what to do next.
use chrono::TimeDelta;
use erp_core::{operate::QueueOut, page::MOST_COUNTED};
use maud::{Markup, html};

use super::{
    advice::advice,
    overview::Overview,
    viewer::Viewer,
    words::{ago, count, duration, impersonal, short, whole},
};

/// A tick that is late by more was missed by all workers.
const LATE: TimeDelta = TimeDelta::minutes(2);
/// Jobs that have been ready for longer are behind.
const BEHIND_SECONDS: f64 = 120.0;

/// The list; a sentence of calm when there is nothing.
pub fn show(viewer: &Viewer, overview: &Overview) -> Markup {
    let needs = [
        workers(viewer, overview),
        breakers(viewer, overview),
        late(viewer, overview),
        dead(viewer, overview),
        in_doubt(viewer, overview),
        paused(viewer, overview),
        behind(viewer, overview),
    ];
    let needs: Vec<_> = needs.into_iter().flatten().collect();
    html! {
        section.besoins aria-labelledby="besoins" {
            h2 #besoins { (viewer.say("À faire", "To do")) }
            @if needs.is_empty() {
                p.calme { (viewer.say("Rien ne demande votre attention.", "Nothing needs your attention.")) }
            } @else { ul { @for need in &needs { li { (need) } } } }
        }
    }
}

fn workers(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    if overview.workers.iter().any(|worker| worker.lives(overview.now)) {
        return Vec::new();
    }
    let text = viewer.say(
        "Aucun worker ne travaille\u{a0}: démarrez-en un (erp-worker). Rien n’est perdu, tout attend.",
        "No worker works: start one (erp-worker). Nothing is lost, everything waits.",
    );
    vec![html! { strong { (text) } }]
}

fn breakers(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    let open = overview.breakers.iter().filter(|breaker| breaker.open);
    let said = open.map(|breaker| {
        html! {
            strong { code { (breaker.dependency) } (viewer.say(" ne répond pas", " does not answer")) }
            @if let Some(since) = breaker.open_since { " (" (ago(viewer.langue, since, overview.now)) ")" }
            (viewer.say("\u{a0}: ses tâches attendent, et repartent seules quand il répond. ", ": its jobs wait, and go on by themselves when it answers. "))
            @if let Some(error) = &breaker.last_error { code.erreur { (short(&impersonal(viewer, error), 200)) } }
        }
    });
    said.collect()
}

fn late(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    let is_late = |due| overview.now - due > LATE;
    let late =
        overview.schedules.iter().filter(|schedule| schedule.next_run_at.is_some_and(is_late));
    let said = late.map(|schedule| {
        html! {
            a href={ "/console/planifications/" (schedule.name) } { code { (schedule.name) } }
            (viewer.say(
                " aurait dû partir\u{a0}: un worker la rattrape dès qu’il travaille.",
                " should have run: a worker makes up for it as soon as one works.",
            ))
        }
    });
    said.collect()
}

fn dead(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    let dead: i64 = overview.queues.iter().map(|queue| queue.dead).sum();
    if dead == 0 {
        return Vec::new();
    }
    let is_capped = overview.queues.iter().any(|queue| queue.dead >= MOST_COUNTED);
    let noun = viewer.say(
        if dead == 1 { "tâche est en échec" } else { "tâches sont en échec" },
        if dead == 1 { "job is dead" } else { "jobs are dead" },
    );
    vec![html! {
        a href="/console/echecs" { (count(dead)) @if is_capped { "+" } " " (noun) }
        (viewer.say("\u{a0}: voyez pourquoi, réparez, puis relancez-les ensemble.", ": see why, repair, then run them again together."))
    }]
}

fn in_doubt(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    let mails = overview.mails_in_doubt;
    if mails == 0 {
        return Vec::new();
    }
    let noun = viewer.say(
        if mails == 1 { "e-mail est incertain" } else { "e-mails sont incertains" },
        if mails == 1 { "mail is in doubt" } else { "mails are in doubt" },
    );
    vec![html! {
        a href="/console/emails?statut=incertaine" { (count(mails)) " " (noun) }
        (viewer.say(
            "\u{a0}: demandez au destinataire, ou cherchez le Message-ID dans le journal du serveur, puis renvoyez-le s’il manque.",
            ": ask its reader, or look for the Message-ID in the log of the mail server, then resend it if it is missing.",
        ))
    }]
}

fn paused(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    let paused = overview.queues.iter().filter(|queue| queue.paused);
    let said = paused.map(|queue| {
        html! {
            (viewer.say("La file ", "The queue ")) code { (queue.name) } (viewer.say(" est suspendue", " is paused"))
            @if let Some(by) = &queue.paused_by { (viewer.say(" par ", " by ")) bdi { (by) } }
            @if let Some(at) = queue.paused_at { ", " (ago(viewer.langue, at, overview.now)) }
            (viewer.say("\u{a0}: reprenez-la quand la raison n’est plus.", ": resume it when the reason is gone."))
        }
    });
    said.collect()
}

fn behind(viewer: &Viewer, overview: &Overview) -> Vec<Markup> {
    let behind = overview.queues.iter().filter(|queue| !queue.paused);
    let behind = behind.filter_map(|queue| Some((queue, queue.oldest_ready_seconds?)));
    let behind = behind.filter(|(_, seconds)| *seconds > BEHIND_SECONDS);
    let said = behind.map(|(queue, seconds)| {
        html! {
            code { (queue.name) } (viewer.say(" a ", " is ")) (duration(viewer.langue, whole(seconds)))
            (viewer.say(" de retard, ", " behind, ")) (count(queue.ready)) @if is_capped(queue) { "+" }
            (viewer.say(if queue.ready < 2 { " tâche prête" } else { " tâches prêtes" }, if queue.ready == 1 { " job ready" } else { " jobs ready" })) (advised(viewer, overview, queue))
        }
    });
    said.collect()
}

/// Whether more may be ready than were counted: the ready and the running are counted together.
fn is_capped(queue: &QueueOut) -> bool {
    queue.ready + queue.running >= MOST_COUNTED
}

fn advised(viewer: &Viewer, overview: &Overview, queue: &QueueOut) -> Markup {
    let serving = overview.workers.iter().filter(|one| one.serves(&queue.name, overview.now));
    let workers = i64::try_from(serving.count()).unwrap_or(i64::MAX);
    if workers == 0 {
        return html! { (viewer.say(
            ", et aucun worker ne les prend\u{a0}: démarrez-en un qui serve cette file (WORKER_QUEUES).",
            ", and no worker takes them: start one that serves this queue (WORKER_QUEUES).",
        )) };
    }
    let rates = overview.rates.get(&queue.name).map_or(&[][..], Vec::as_slice);
    let Some(advice) = advice(queue, rates, workers) else {
        return html! { (viewer.say(
            ", et aucune n’a réussi depuis dix minutes\u{a0}: regardez les erreurs et les workers.",
            ", and none has succeeded for ten minutes: look at the errors and the workers.",
        )) };
    };
    let in_words = |time| duration(viewer.langue, time);
    html! {
        (viewer.say("\u{a0}: au rythme des dix dernières minutes, rattrapées en ", ": at the pace of the last ten minutes, done in "))
        @if is_capped(queue) { (viewer.say("plus de ", "more than ")) } (in_words(advice.alone))
        @if let Some((more, time)) = advice.with_more.filter(|_| !is_capped(queue)) {
            (viewer.say("\u{a0}; avec ", "; with ")) (more)
            (viewer.say(if more == 1 { " worker de plus, " } else { " workers de plus, " }, if more == 1 { " more worker, " } else { " more workers, " }))
            (in_words(time))
        }
        "."
    }
}
