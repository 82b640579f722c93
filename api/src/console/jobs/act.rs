//! Acting on many jobs: first what it would change, then, once confirmed, the change.
use axum::{extract::State, response::Response};
use erp_core::{
    Code, Ctx, Error, Result,
    operate::{self, Action, JobBulk, JobFilter, JobOut},
    page::Page as Rows,
};
use maud::{Markup, html};

use crate::{
    ApiError,
    console::{
        back_to,
        form::{Filled, Pairs, address_of, address_with},
        page::{Page, token},
        viewer::Viewer,
        words::{count, impersonal, short, state},
    },
    extract::Auteur,
    routes::admin::jobs::{act, act_on_all},
};

/// What may be done: its name in addresses, and on its button in French and English.
pub const ACTS: &[(&str, &str, &str)] = &[
    ("relancer", "Relancer", "Run again"),
    ("annuler", "Annuler", "Cancel"),
    ("supprimer", "Supprimer", "Delete"),
];

/// The most rows of a selection: those of a page.
const MOST_CHOSEN: usize = 200;
/// Rows that the page before a change shows.
const SHOWN: i64 = 10;

/// On which jobs something is to be done.
enum Scope {
    Chosen(Vec<String>),
    All(JobFilter),
}

struct Wanted {
    name: String,
    action: Action,
    scope: Scope,
}

impl Wanted {
    fn read(pairs: &Pairs) -> Result<Self, ApiError> {
        let name = pairs.get("acte").unwrap_or_default().to_owned();
        let action = match name.as_str() {
            "relancer" => Action::Retry,
            "annuler" => Action::Cancel,
            "supprimer" => Action::Delete,
            _ => return Err(nothing_chosen().into()),
        };
        let scope = if pairs.get("portee") == Some("toutes") {
            Scope::All(pairs.parse::<JobBulk>()?.filter)
        } else {
            let ids = pairs.all("id");
            if ids.is_empty() || ids.len() > MOST_CHOSEN {
                return Err(nothing_chosen().into());
            }
            Scope::Chosen(ids)
        };
        Ok(Self { name, action, scope })
    }
}

fn nothing_chosen() -> Error {
    Error::refused(
        Code::CritereManquant,
        "Cochez au moins une tâche, ou choisissez toutes celles d’un filtre.",
        "Tick at least one job, or choose all of a filter.",
    )
}

/// The page before the change: how many jobs, and which.
pub async fn preview(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Filled { pairs, .. }: Filled<JobBulk>,
) -> Result<Response, ApiError> {
    let wanted = Wanted::read(&pairs)?;
    let (number, and_more, rows) = match &wanted.scope {
        Scope::Chosen(ids) => {
            let mut rows = Vec::new();
            for id in ids.iter().take(usize::try_from(SHOWN).unwrap_or_default()) {
                rows.push(operate::find(&ctx.pool, id).await?.job);
            }
            (i64::try_from(ids.len()).unwrap_or(i64::MAX), false, rows)
        }
        Scope::All(filter) => {
            let done = operate::preview(&ctx.pool, wanted.action, filter).await?;
            let rows =
                operate::sample(&ctx.pool, wanted.action, filter, &Rows::newest(SHOWN)).await?;
            (done.count, done.more, rows)
        }
    };
    let titre = viewer.say(
        format!(
            "{}\u{a0}: {} {}\u{a0}?",
            label(&viewer, &wanted.name),
            count(number),
            if number < 2 { "tâche" } else { "tâches" }
        ),
        format!(
            "{}: {} {}?",
            label(&viewer, &wanted.name),
            count(number),
            if number == 1 { "job" } else { "jobs" }
        ),
    );
    let content = html! {
        p { (explained(&viewer, wanted.action)) }
        @if matches!(wanted.scope, Scope::Chosen(_)) { p { (viewer.say(
            "Si l’une d’elles ne s’y prête pas, aucune ne change, et la page dit pourquoi.",
            "If one of them does not allow it, none is changed, and the page says why.",
        )) } }
        @if and_more { p { (viewer.say("Plus de 10 000 tâches correspondent.", "More than 10 000 jobs fit.")) } }
        @if number > 1000 { p { (viewer.say("Mille à la fois\u{a0}: la page propose ensuite les suivantes.", "A thousand at a time: the page offers the next ones afterwards.")) } }
        ul.liste { @for job in &rows { (line(&viewer, job)) } @if number > SHOWN { li { "…" } } }
        form method="post" action="/console/taches/agir" {
            (token(&viewer))
            @for (name, value) in pairs.without(&["apres", "offset", "limit", "fait", "n", "reste", "vu", "jeton"]) {
                input type="hidden" name=(name) value=(value);
            }
            input type="hidden" name="vu" value=(number);
            button disabled[number == 0] { (label(&viewer, &wanted.name)) }
            " "
            a href=(back(&pairs)) { (viewer.say("Ne rien faire", "Do nothing")) }
        }
    };
    Ok(Page { viewer: &viewer, at: "/console/taches", titre: &titre, is_live: false }
        .show(&content))
}

/// The change.
pub async fn apply(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let wanted = Wanted::read(&pairs)?;
    let mut tx = ctx.begin().await?;
    let (number, more) = match &wanted.scope {
        Scope::Chosen(ids) => {
            for id in ids {
                act(&ctx, &mut tx, &auteur, wanted.action, id).await?;
            }
            (i64::try_from(ids.len()).unwrap_or(i64::MAX), false)
        }
        Scope::All(filter) => {
            // Not more than were shown: what has come since is for another look.
            let shown = pairs.get("vu").and_then(|shown| shown.parse().ok()).unwrap_or(0);
            let of = (filter, shown);
            let done = act_on_all(&ctx, &mut tx, &auteur, wanted.action, of).await?;
            (done.count, done.more)
        }
    };
    tx.commit().await?;
    if let (Scope::Chosen(ids), Some("tache")) = (&wanted.scope, pairs.get("retour"))
        && let [id] = &ids[..]
    {
        return Ok(back_to(&format!("/console/taches/{id}")));
    }
    let mut left = pairs.without(&["jeton", "acte", "portee", "id", "fait", "n", "reste", "vu"]);
    left.push(("fait".to_owned(), wanted.name));
    if more {
        left.push(("reste".to_owned(), "1".to_owned()));
    }
    Ok(back_to(&address_with("/console/taches", &left, ("n", &number.to_string()))))
}

fn back(pairs: &Pairs) -> String {
    let left = pairs.without(&["acte", "portee", "id", "fait", "n", "reste", "limit"]);
    address_of("/console/taches", &left)
}

fn label(viewer: &Viewer, name: &str) -> &'static str {
    ACTS.iter().find(|(known, ..)| *known == name).map_or("", |(_, fr, en)| viewer.say(*fr, *en))
}

fn explained(viewer: &Viewer, action: Action) -> &'static str {
    match action {
        Action::Retry => viewer.say(
            "Celles qui sont en échec, annulées ou en reprise partent tout de suite.",
            "Those that are dead, cancelled or retrying run at once.",
        ),
        Action::Cancel => viewer.say(
            "Celles qui ne sont pas terminées ne se feront plus\u{a0}; un worker arrête en quelques secondes celle qu’il exécute.",
            "Those that have not ended will not be done; a worker stops the one it runs within seconds.",
        ),
        Action::Delete => viewer.say(
            "Celles qui sont terminées disparaissent, avec leurs essais. Rien ne les ramène.",
            "Those that have ended vanish, with their attempts. Nothing brings them back.",
        ),
    }
}

fn line(viewer: &Viewer, job: &JobOut) -> Markup {
    html! {
        li {
            code { (job.type_) } " " (state(viewer.langue, job.state)) " " code.note { (job.id) }
            @if let Some(error) = &job.error { " " code.erreur { (short(&impersonal(viewer, error), 100)) } }
        }
    }
}
