//! The page of one's own account.
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx, Error, Lang, Result,
    auth::{
        self, SessionOut,
        api_keys::{self, ApiKeyMade},
    },
    calendrier::{self, CalendrierOut},
    personal_data,
    preferences::{self, Preferences},
    users::{self, UserOut},
};
use maud::{Markup, html};

use super::super::{
    form::Pairs,
    page::{Page, button, token},
    viewer::Viewer,
    words::{ago, short, time},
};
use crate::ApiError;

/// What the page shows beside what is stored: what was just done, or what is wrong with it.
#[derive(Default)]
pub struct Said {
    pub done: Option<&'static str>,
    pub wrong: Option<String>,
    /// Calendar addresses that were just made, which are never shown again.
    pub calendar: Option<CalendrierOut>,
    /// A key that was just made, which is never shown again.
    pub key: Option<ApiKeyMade>,
}

/// The page.
pub async fn show(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    axum::extract::RawQuery(query): axum::extract::RawQuery,
) -> Result<Response, ApiError> {
    let pairs = Pairs::of(query.unwrap_or_default().as_bytes());
    let done = match pairs.get("fait") {
        Some("profil") => Some(viewer.say("Votre profil est modifié.", "Your profile is changed.")),
        Some("preferences") => {
            Some(viewer.say("Vos préférences sont modifiées.", "Your preferences are changed."))
        }
        Some("session") => Some(viewer.say("La session est terminée.", "The session has ended.")),
        Some("sessions") => Some(viewer.say(
            "Toutes vos autres sessions sont terminées.",
            "All your other sessions have ended.",
        )),
        Some("calendrier") => Some(viewer.say(
            "Les adresses du calendrier n’ouvrent plus rien.",
            "The calendar addresses open nothing any more.",
        )),
        Some("donnees") => {
            Some(viewer.say(
                "Le fichier de vos données est demandé.",
                "The file of your data is asked for.",
            ))
        }
        Some("cle") => Some(viewer.say("La clé est révoquée.", "The key is revoked.")),
        _ => None,
    };
    render(&ctx, &viewer, Said { done, ..Said::default() }).await
}

/// The page, with what is to be said.
pub async fn render(ctx: &Ctx, viewer: &Viewer, said: Said) -> Result<Response, ApiError> {
    let (owner, now) = (users::find(&ctx.pool, viewer.id).await?, ctx.clock.now());
    let preferences = preferences::find(&ctx.pool, viewer.id).await?;
    let sessions = auth::sessions(&ctx.pool, viewer.id, Some(viewer.session), now).await?;
    let export = match personal_data::state(&ctx.pool, viewer.id, now).await {
        Ok(export) => Some(export),
        Err(Error::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let keys = api_keys::list(&ctx.pool, viewer.id, now).await?;
    let has_calendar = calendrier::etat(&ctx.pool, viewer.id).await?;
    let content = html! {
        @if let Some(done) = said.done { p.fait role="status" { (done) } }
        @if let Some(wrong) = &said.wrong { p.faute role="alert" { (wrong) } }
        div.cartes {
            (profile(viewer, &owner))
            (mails(viewer, &preferences))
            (super::password::form(viewer, &owner))
            (second_factor(viewer))
            (calendar(viewer, has_calendar.actif, said.calendar.as_ref()))
            (super::personal_data::section(viewer, export.as_ref()))
        }
        (super::api_keys::section(viewer, &keys, said.key.as_ref(), now))
        (open_sessions(viewer, &sessions, now))
    };
    let titre = viewer.say("Mon compte", "My account");
    Ok(Page { viewer, at: "/compte", titre, is_live: false }.show(&content))
}

fn profile(viewer: &Viewer, owner: &UserOut) -> Markup {
    html! {
        section.carte aria-labelledby="profil" {
            h2 #profil { (viewer.say("Profil", "Profile")) }
            dl.faits {
                dt { (viewer.say("Identifiant", "Username")) } dd { bdi { (owner.username) } }
                dt { (viewer.say("Adresse e-mail", "E-mail address")) } dd { bdi { (owner.email) } }
                dt { (viewer.say("Rôle", "Role")) } dd { (owner.role) }
            }
            form.colonne method="post" action="/compte/profil" {
                (token(viewer))
                input type="hidden" name="version" value=(owner.version);
                label for="full_name" { (viewer.say("Nom", "Name")) }
                input #full_name name="full_name" value=(owner.full_name) required maxlength="255" autocomplete="name";
                label for="langue" { (viewer.say("Langue des pages et des e-mails", "Language of pages and mails")) }
                select #langue name="langue" {
                    option value="fr" selected[owner.langue == Lang::Fr] { "français" }
                    option value="en" selected[owner.langue == Lang::En] { "English" }
                }
                button { (viewer.say("Enregistrer", "Save")) }
            }
            p.note { (viewer.say(
                "L’adresse et le rôle se changent chez un administrateur.",
                "The address and the role are changed by an administrator.",
            )) }
        }
    }
}

fn mails(viewer: &Viewer, preferences: &Preferences) -> Markup {
    let emails = preferences.emails;
    let switches = [
        (
            "affectation",
            emails.affectation,
            "une intervention m’est confiée",
            "an intervention is assigned to me",
        ),
        ("cloture", emails.cloture, "une intervention est close", "an intervention is closed"),
        (
            "rappel",
            emails.rappel,
            "une visite ou une échéance approche",
            "a visit or a deadline is near",
        ),
        ("retard", emails.retard, "une échéance est dépassée", "a deadline has passed"),
        ("alerte", emails.alerte, "une alerte est levée", "an alert is raised"),
        ("information", emails.information, "quelqu’un m’écrit", "somebody writes to me"),
        ("digest", emails.digest, "le point de la journée", "the summary of the day"),
    ];
    let quiet = preferences.heures_calmes;
    let at = |time: Option<chrono::NaiveTime>| {
        time.map(|time| time.format("%H:%M").to_string()).unwrap_or_default()
    };
    html! {
        section.carte aria-labelledby="mails" {
            h2 #mails { (viewer.say("E-mails", "Mails")) }
            form.colonne method="post" action="/compte/preferences" {
                (token(viewer))
                input type="hidden" name="version" value=(preferences.version);
                fieldset {
                    legend { (viewer.say("M’écrire quand", "Write to me when")) }
                    // The summary is for who has an eye on the whole company.
                    @for (name, on, fr, en) in switches.into_iter().filter(|(name, ..)| viewer.operates || *name != "digest") {
                        label.ligne { input type="checkbox" name=(name) value="true" checked[on]; (viewer.say(fr, en)) }
                    }
                }
                @if viewer.operates { label.ligne { input type="checkbox" name="digest_seulement" value="true" checked[preferences.digest_seulement];
                    (viewer.say("seulement le point de la journée", "only the summary of the day")) } }
                fieldset {
                    legend { (viewer.say("Pas d’e-mail entre (laissez vide pour toute heure)", "No mail between (leave empty for any hour)")) }
                    input type="time" name="debut" value=(at(quiet.map(|quiet| quiet.debut))) aria-label=(viewer.say("Début", "From"));
                    " "
                    input type="time" name="fin" value=(at(quiet.map(|quiet| quiet.fin))) aria-label=(viewer.say("Fin", "Until"));
                }
                button { (viewer.say("Enregistrer", "Save")) }
            }
        }
    }
}

fn second_factor(viewer: &Viewer) -> Markup {
    html! {
        section.carte aria-labelledby="facteur" {
            h2 #facteur { (viewer.say("Second facteur", "Second factor")) }
            p { (viewer.say("Un code de votre téléphone, en plus du mot de passe.", "A code of your phone, beside the password.")) }
            p { a.bouton href="/compte/second-facteur" { (viewer.say("Voir et régler", "See and set")) } }
        }
    }
}

fn calendar(viewer: &Viewer, is_active: bool, made: Option<&CalendrierOut>) -> Markup {
    html! {
        section.carte aria-labelledby="calendrier" {
            h2 #calendrier { (viewer.say("Calendrier", "Calendar")) }
            @if let Some(made) = made {
                p { (viewer.say(
                    "Donnez ces adresses à votre téléphone ou à votre messagerie. Elles ne seront plus montrées, et ouvrent votre calendrier à qui les a.",
                    "Give these addresses to your phone or mail program. They are not shown again, and open your calendar to whoever has them.",
                )) }
                p { code { (made.planning_url) } }
                @if let Some(own) = &made.technicien_url { p { code { (own) } } }
            } @else if is_active {
                p { (viewer.say("Une adresse de votre calendrier est en usage.", "An address of your calendar is in use.")) }
            } @else {
                p { (viewer.say("Les visites et les échéances, dans le calendrier de votre téléphone.", "Visits and deadlines, in the calendar of your phone.")) }
            }
            div.actes {
                (button(viewer, "/compte/calendrier", if is_active { viewer.say("Changer les adresses", "Change the addresses") } else { viewer.say("Créer les adresses", "Make the addresses") }, ""))
                @if is_active { (button(viewer, "/compte/calendrier/supprimer", viewer.say("Les supprimer", "Remove them"), "")) }
            }
        }
    }
}

fn open_sessions(viewer: &Viewer, sessions: &[SessionOut], now: DateTime<Utc>) -> Markup {
    html! {
        section aria-labelledby="sessions" {
            h2 #sessions { (viewer.say("Sessions ouvertes", "Open sessions")) }
            p { (viewer.say(
                "Une session que vous ne reconnaissez pas\u{a0}? Terminez-la, puis changez votre mot de passe.",
                "A session that you do not know? End it, then change your password.",
            )) }
            div.large tabindex="0" role="region" aria-labelledby="sessions" {
                table {
                    thead { tr {
                        @for (fr, en) in [("Appareil", "Device"), ("Adresse", "Address"), ("Ouverte", "Opened"), ("Dernier usage", "Last use"), ("Fin", "Ends"), ("Agir", "Act")] {
                            th scope="col" { (viewer.say(fr, en)) }
                        }
                    } }
                    tbody { @for session in sessions { (row(viewer, session, now)) } }
                }
            }
            @if sessions.len() > 1 {
                (button(viewer, "/compte/sessions/terminer", viewer.say("Terminer toutes les autres", "End all others"), ""))
            }
        }
    }
}

fn row(viewer: &Viewer, session: &SessionOut, now: DateTime<Utc>) -> Markup {
    html! {
        tr {
            th scope="row" { (short(session.user_agent.as_deref().unwrap_or("–"), 90)) }
            td { (session.adresse_ip.as_deref().unwrap_or("–")) }
            td { (time(Some(session.created_at))) }
            td { (ago(viewer.langue, session.last_used_at, now)) }
            td { (time(Some(session.expires_at))) }
            td {
                @if session.actuelle { (viewer.say("celle-ci", "this one")) }
                @else { (button(viewer, &format!("/compte/sessions/{}/terminer", session.id), viewer.say("Terminer", "End"), session.user_agent.as_deref().unwrap_or_default())) }
            }
        }
    }
}
