//! The limits that are set, and how much of each is in use.
use chrono::TimeDelta;
use erp_core::operate::limits::{Kind, Limit};
use maud::{Markup, html};

use super::{
    viewer::Viewer,
    words::{count, duration},
};

/// The section of the overview.
pub fn show(viewer: &Viewer, limits: &[Limit]) -> Markup {
    let of_mails =
        |limit: &Limit| matches!(limit.kind, Kind::MailsPerMinute { .. } | Kind::MailConnections);
    html! {
        section aria-labelledby="limites" {
            h2 #limites { (viewer.say("Limites", "Limits")) }
            @if limits.is_empty() {
                p.vide { (viewer.say(
                    "Aucune limite n’est réglée\u{a0}: les e-mails, les requêtes et les files vont aussi vite qu’ils peuvent.",
                    "No limit is set: mails, requests and queues go as fast as they can.",
                )) }
            } @else {
                div.large.etroite tabindex="0" role="region" aria-labelledby="limites" {
                    table {
                        thead { tr {
                            th scope="col" { (viewer.say("Limite", "Limit")) }
                            th.nombre scope="col" { (viewer.say("En usage", "In use")) }
                            th.nombre scope="col" { (viewer.say("Au plus", "At most")) }
                            th scope="col" { (viewer.say("Part", "Part")) }
                        } }
                        tbody { @for limit in limits { (row(viewer, limit)) } }
                    }
                }
                @if limits.iter().any(of_mails) {
                    p.note { (viewer.say(
                        "Celles des e-mails comme cette API les lit\u{a0}: donnez-lui les réglages des workers.",
                        "Those of mails as this API reads them: give it the settings of the workers.",
                    )) }
                }
            }
        }
    }
}

fn row(viewer: &Viewer, limit: &Limit) -> Markup {
    let name = name(viewer, &limit.kind);
    // The mean of an even pace may be above its limit by one, and what ran before a limit was lowered goes on.
    let shown = limit.used.min(limit.most);
    html! {
        tr {
            th scope="row" { (name) @if let Some(setting) = setting(&limit.kind) { div.note { code { (setting) } } } }
            td.nombre { (count(limit.used)) }
            td.nombre { (count(limit.most)) }
            td.libre {
                meter min="0" max=(limit.most.max(1)) high=(limit.most.max(1) * 4 / 5) value=(shown) aria-label=(name) {}
                @if let Some(note) = note(viewer, limit) { div.note { (note) } }
            }
        }
    }
}

fn name(viewer: &Viewer, kind: &Kind) -> String {
    match kind {
        Kind::MailsPerMinute { .. } => viewer
            .say(
                "Tâches d’e-mail faites en une minute, par tous les workers",
                "Mail jobs done in a minute, by all workers",
            )
            .to_owned(),
        Kind::MailConnections => viewer
            .say(
                "Connexions au serveur d’e-mails, de tous les workers",
                "Connections to the mail server, of all workers",
            )
            .to_owned(),
        Kind::Queue { name, each, .. } => viewer.say(
            format!("Tâches de {name} à la fois, {each} par worker"),
            format!("Jobs of {name} at once, {each} per worker"),
        ),
        Kind::Requests => viewer
            .say("Requêtes d’un appelant en une minute", "Requests of one caller in a minute")
            .to_owned(),
        Kind::SignIns => viewer
            .say(
                "Essais de connexion d’une adresse en une minute",
                "Attempts to sign in from one address in a minute",
            )
            .to_owned(),
        Kind::Uploads => viewer
            .say("Mio déposés par un utilisateur en un jour", "MiB uploaded by one user in a day")
            .to_owned(),
    }
}

/// The variable that sets it; none for what is set on this page.
fn setting(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::MailsPerMinute { .. } => Some("SMTP_MAX_PER_MINUTE"),
        Kind::MailConnections => Some("SMTP_MAX_CONNECTIONS"),
        Kind::Queue { .. } => None,
        Kind::Requests => Some("RATE_LIMIT_PER_MINUTE"),
        Kind::SignIns => Some("LOGIN_LIMIT_PER_MINUTE"),
        Kind::Uploads => Some("UPLOAD_QUOTA_MB"),
    }
}

fn note(viewer: &Viewer, limit: &Limit) -> Option<String> {
    match &limit.kind {
        Kind::MailsPerMinute { free_in } if *free_in >= TimeDelta::seconds(1) => {
            let wait = duration(viewer.langue, *free_in);
            Some(viewer.say(
                format!("le prochain e-mail peut partir dans {wait}"),
                format!("the next mail may leave in {wait}"),
            ))
        }
        Kind::MailsPerMinute { .. } => {
            Some(viewer.say("un e-mail peut partir maintenant", "a mail may leave now").to_owned())
        }
        Kind::Queue { workers: 0, .. } => Some(
            viewer.say("aucun worker ne sert cette file", "no worker serves this queue").to_owned(),
        ),
        Kind::Requests | Kind::SignIns | Kind::Uploads => {
            Some(viewer.say("de qui en fait le plus", "of whoever makes the most").to_owned())
        }
        Kind::Queue { .. } | Kind::MailConnections => None,
    }
}
