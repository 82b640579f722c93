//! The buttons of one's own account.
use axum::{extract::State, response::Response};
use erp_core::{
    Ctx, Error, Noun, auth, calendrier,
    input::{Fields, Input as _},
    preferences::{self, PreferencesPatch},
    users::{self, UserUpdate},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    super::{back_to, form::Pairs, viewer::Viewer},
    show::{Said, render},
};
use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Name},
    if_match::IfMatch,
    routes::auth::{end_other_sessions, end_own_session},
};

/// The condition of a form.
fn version(pairs: &Pairs) -> IfMatch {
    IfMatch::of(pairs.get("version").and_then(|version| version.parse().ok()))
}

/// Name and language.
pub async fn profile(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    let edit: UserUpdate = Pairs(pairs.without(&["password", "current_password"])).parse()?;
    let full_name = edit.full_name.map(|line| line.0);
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    auth::hold_session(&mut tx, viewer.id, viewer.session, now).await?;
    let old = users::find_for_update(&mut tx, viewer.id).await?;
    let new = users::update(&mut tx, viewer.id, full_name.as_deref(), edit.langue, now).await?;
    version(&pairs).judge(&old, new)?;
    tx.commit().await?;
    Ok(back_to("/compte?fait=profil"))
}

/// Which mails, and when: a box that is not ticked is not sent.
pub async fn preferences(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    user: CurrentUser,
    pairs: Pairs,
) -> Result<Response, ApiError> {
    const SWITCHES: [&str; 7] =
        ["affectation", "cloture", "rappel", "retard", "alerte", "information", "digest"];
    let ticked = |name: &str| Value::from(pairs.get(name).is_some());
    // Who is shown no box for the summary leaves it as it is.
    let shown = SWITCHES.iter().filter(|name| viewer.operates || **name != "digest");
    let emails: Map<String, Value> = shown.map(|name| ((*name).to_owned(), ticked(name))).collect();
    let quiet = match (pairs.get("debut"), pairs.get("fin")) {
        (None, None) => Value::Null,
        (from, to) => json!({ "debut": from, "fin": to }),
    };
    let mut fields = Map::new();
    fields.insert("emails".to_owned(), emails.into());
    if viewer.operates {
        fields.insert("digest_seulement".to_owned(), ticked("digest_seulement"));
    }
    fields.insert("heures_calmes".to_owned(), quiet);
    let mut fields = Fields::json(fields);
    let Some(patch) = PreferencesPatch::read(&mut fields) else {
        return Err(fields.into_error().into());
    };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    auth::hold_session(&mut tx, viewer.id, viewer.session, now).await?;
    let old = preferences::find_for_update(&mut tx, viewer.id).await?;
    let new = preferences::update(&mut tx, viewer.id, user.role, patch, now).await?;
    version(&pairs).judge(&old, new)?;
    tx.commit().await?;
    Ok(back_to("/compte?fait=preferences"))
}

/// Ends one session.
pub async fn end_session(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<Response, ApiError> {
    let id: Uuid = id.parse().map_err(|_| Error::NotFound(Noun::SESSION))?;
    end_own_session(&ctx, viewer.id, id, &auteur).await?;
    Ok(back_to("/compte?fait=session"))
}

/// Ends all sessions but this one.
pub async fn end_sessions(
    State(ctx): State<Ctx>,
    viewer: Viewer,
    Auteur(auteur): Auteur,
) -> Result<Response, ApiError> {
    end_other_sessions(&ctx, viewer.id, viewer.session, &auteur).await?;
    Ok(back_to("/compte?fait=sessions"))
}

/// Makes calendar addresses, which are shown once.
pub async fn make_calendar(State(ctx): State<Ctx>, viewer: Viewer) -> Result<Response, ApiError> {
    let mut tx = ctx.begin().await?;
    let made = calendrier::renew(&ctx, &mut tx, viewer.id, viewer.session).await?;
    tx.commit().await?;
    render(&ctx, &viewer, Said { calendar: Some(made), ..Said::default() }).await
}

/// Ends the calendar addresses.
pub async fn remove_calendar(State(ctx): State<Ctx>, viewer: Viewer) -> Result<Response, ApiError> {
    let mut tx = ctx.begin().await?;
    calendrier::revoke(&mut tx, viewer.id).await?;
    tx.commit().await?;
    Ok(back_to("/compte?fait=calendrier"))
}
