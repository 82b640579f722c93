//! The keys that somebody gives to scripts, on the page of their account.
use axum::{extract::State, response::Response};
use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Ctx, Error, Lang,
    auth::api_keys::{ApiKeyCreate, ApiKeyMade, ApiKeyOut, Portee},
    input::Fields,
};
use maud::{Markup, html};
use serde_json::json;

use super::{
    super::{
        back_to,
        form::Pairs,
        page::{button, token},
        viewer::Viewer,
        words::{ago, time},
    },
    show::{Said, render},
};
use crate::{
    ApiError,
    extract::{Auteur, Name},
    routes::api_keys,
};

/// How long a key may be good, in days: what the form offers.
const DAYS: [u16; 3] = [30, 90, 365];

/// The keys, the one that was just `made`, and the form for another.
pub fn section(
    viewer: &Viewer,
    keys: &[ApiKeyOut],
    made: Option<&ApiKeyMade>,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        section aria-labelledby="cles" {
            h2 #cles { (viewer.say("Clés d’API", "API keys")) }
            p { (viewer.say(
                "Une clé laisse un programme travailler en votre nom, avec une partie de vos droits. Elle se termine à sa date, quand vous la révoquez, et quand vous changez de mot de passe.",
                "A key lets a program work in your name, with a part of your rights. It ends at its date, when you revoke it, and when you change your password.",
            )) }
            @if let Some(made) = made {
                div.fait role="status" {
                    p { (viewer.say(
                        "Votre clé. Copiez-la maintenant\u{a0}: elle ne sera plus montrée.",
                        "Your key. Copy it now: it is not shown again.",
                    )) }
                    p { code { (made.cle) } }
                }
            }
            @if !keys.is_empty() { (table(viewer, keys, now)) }
            details {
                summary { (viewer.say("Créer une clé", "Make a key")) }
                (form(viewer))
            }
        }
    }
}

fn table(viewer: &Viewer, keys: &[ApiKeyOut], now: DateTime<Utc>) -> Markup {
    const HEADS: [(&str, &str); 6] = [
        ("Nom", "Name"),
        ("Commence par", "Begins with"),
        ("Droits", "Rights"),
        ("Dernier usage", "Last use"),
        ("Expire le", "Ends"),
        ("Agir", "Act"),
    ];
    html! {
        div.large tabindex="0" role="region" aria-labelledby="cles" {
            table {
                thead { tr { @for (fr, en) in HEADS { th scope="col" { (viewer.say(fr, en)) } } } }
                tbody {
                    @for key in keys {
                        tr {
                            th scope="row" { bdi { (key.nom) } }
                            td { code { (key.debut) "…" } }
                            td.libre { (key.portees.iter().map(|portee| portee.as_str()).collect::<Vec<_>>().join(", ")) }
                            td { @if let Some(last) = key.last_used_at { (ago(viewer.langue, last, now)) } @else { (viewer.say("jamais", "never")) } }
                            td { (time(Some(key.expires_at))) }
                            td { (button(viewer, &format!("/compte/cles/{}/revoquer", key.id), viewer.say("Révoquer", "Revoke"), &key.nom)) }
                        }
                    }
                }
            }
        }
    }
}

fn form(viewer: &Viewer) -> Markup {
    html! {
        form.colonne method="post" action="/compte/cles" {
            (token(viewer))
            label for="nom" { (viewer.say("À quoi sert-elle\u{a0}?", "What is it for?")) }
            input #nom name="nom" required maxlength="100" autocomplete="off";
            label for="jours" { (viewer.say("Valable", "Good for")) }
            select #jours name="jours" {
                @for days in DAYS {
                    option value=(days) selected[days == 90] { (days) (viewer.say(" jours", " days")) }
                }
            }
            fieldset {
                legend { (viewer.say("Droits (écrire comprend lire)", "Rights (to write includes to read)")) }
                @for portee in Portee::TEXTS.iter().filter_map(|text| Portee::from_text(text)).filter(|portee| is_offered(viewer, *portee)) {
                    label.ligne { input type="checkbox" name="portees" value=(portee); (words(viewer.langue, portee)) }
                }
            }
            button { (viewer.say("Créer la clé", "Make the key")) }
        }
    }
}

/// Whether the viewer's role could use it: what operators alone do is offered to operators.
fn is_offered(viewer: &Viewer, portee: Portee) -> bool {
    match portee.parts().0 {
        "admin" => viewer.acts,
        "users" | "clients" => viewer.operates,
        _ => true,
    }
}

/// A right, in words.
fn words(langue: Lang, portee: Portee) -> String {
    let (noun, changes) = portee.parts();
    let noun = match noun {
        "admin" => langue.choose("exploitation", "operations"),
        "clients" => "clients",
        "dashboard" => langue.choose("tableau de bord", "dashboard"),
        "documents" => "documents",
        "equipements" => langue.choose("équipements", "equipment"),
        "interventions" => "interventions",
        "notifications" => "notifications",
        "planning" => langue.choose("plannings", "maintenance plans"),
        "techniciens" => langue.choose("techniciens", "technicians"),
        "users" => langue.choose("comptes", "accounts"),
        noun => noun,
    };
    let right =
        if changes { langue.choose("écrire", "write") } else { langue.choose("lire", "read") };
    format!("{noun}\u{a0}: {right}")
}

/// Makes a key, which is shown once.
pub async fn make(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let days = pairs.get("jours").and_then(|days| days.parse().ok());
    let end = days
        .filter(|days| DAYS.contains(days))
        .map(|days: u16| (ctx.clock.now() + TimeDelta::days(days.into())).to_rfc3339());
    let body =
        json!({ "nom": pairs.get("nom"), "portees": pairs.all("portees"), "expires_at": end });
    let serde_json::Value::Object(body) = body else { unreachable!("an object") };
    let made = match Fields::json(body).parse::<ApiKeyCreate>() {
        Ok(new) => api_keys::create(&ctx, viewer.id, viewer.session, new, &auteur).await,
        Err(error) => Err(error),
    };
    let said = match made {
        Ok(key) => Said { key: Some(key), ..Said::default() },
        Err(Error::Invalid(faults)) => {
            let wrong = faults.first().map(|fault| fault.msg.in_lang(viewer.langue).to_owned());
            Said { wrong, ..Said::default() }
        }
        Err(Error::Conflict { text, .. }) => {
            Said { wrong: Some(text.in_lang(viewer.langue).to_owned()), ..Said::default() }
        }
        Err(error) => return Err(error.into()),
    };
    render(&ctx, &viewer, said).await
}

/// Revokes one.
pub async fn revoke(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<Response, ApiError> {
    api_keys::revoke(&ctx, viewer.id, &id, &auteur).await?;
    Ok(back_to("/compte?fait=cle"))
}
