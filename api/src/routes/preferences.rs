//! What the caller wants to be told by e-mail, and the link in each digest that unsubscribes from digests.
use axum::{extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Error, Lang, auth,
    error::codes,
    input::{Input, Trimmed},
    preferences::{self, Preferences, PreferencesPatch},
    users,
};
use maud::html;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::compte::page;
use crate::{
    ApiError,
    extract::{CurrentUser, Json as Body, Query},
    if_match::{IfMatch, Tagged},
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(show, update)).routes(routes!(ask, unsubscribe))
}

/// The caller's preferences.
#[utoipa::path(
    get, path = "/users/me/preferences", tag = "users", operation_id = "preferences_show",
    responses((status = 200, body = Preferences)),
)]
async fn show(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Tagged<Preferences>, ApiError> {
    Ok(Tagged(preferences::find(&ctx.pool, user.id).await?))
}

/// Changes the caller's preferences; what is not named stays. `heures_calmes: null` ends the quiet hours.
#[utoipa::path(
    put, path = "/users/me/preferences", tag = "users", operation_id = "preferences_update",
    request_body = PreferencesPatch,
    responses((status = 200, body = Preferences)),
)]
async fn update(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    Body(patch): Body<PreferencesPatch>,
) -> Result<Tagged<Preferences>, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    auth::hold_session(&mut tx, user.id, user.session()?, now).await?;
    let old = preferences::find_for_update(&mut tx, user.id).await?;
    let new = preferences::update(&mut tx, user.id, user.role, patch, now).await?;
    let new = if_match.judge(&old, new)?;
    tx.commit().await?;
    Ok(Tagged(new))
}

/// The token in the link of a digest.
#[derive(Input)]
struct Link(#[input(name = "jeton", as = Trimmed<2000>)] String);

impl Link {
    fn user_id(&self, ctx: &Ctx) -> Result<i64, Error> {
        auth::unsubscribed_user(&ctx.keys, &self.0, ctx.clock.now())
    }
}

/// The page that the link in a digest opens. It changes nothing: programs that check mails open links, too.
#[utoipa::path(
    get, path = "/desabonnement", tag = "users", operation_id = "unsubscribe_ask",
    params(Query<Link>),
    responses(
        (status = 200, description = "A page with a button.", content_type = "text/html", body = String),
        Refusals<401, (codes::JetonInvalide, codes::JetonExpire)>,
    ),
)]
async fn ask(State(ctx): State<Ctx>, Query(link): Query<Link>) -> Result<Response, ApiError> {
    let reader = users::find(&ctx.pool, link.user_id(&ctx)?).await?;
    let (title, button) = match reader.langue {
        Lang::Fr => ("Ne plus recevoir le point quotidien\u{a0}?", "Confirmer"),
        Lang::En => ("Stop the daily summary?", "Confirm"),
    };
    let form = html! { form.colonne method="post" { button { (button) } } };
    Ok(page(StatusCode::OK, reader.langue, title, &form))
}

/// Ends the digests of the reader to whom the link was sent, in one click (RFC 8058).
#[utoipa::path(
    post, path = "/desabonnement", tag = "users", operation_id = "unsubscribe",
    params(Query<Link>),
    responses(
        (status = 200, content_type = "text/html", body = String),
        Refusals<401, (codes::JetonInvalide, codes::JetonExpire)>,
    ),
)]
async fn unsubscribe(
    State(ctx): State<Ctx>,
    Query(link): Query<Link>,
) -> Result<Response, ApiError> {
    let user_id = link.user_id(&ctx)?;
    let mut tx = ctx.begin().await?;
    preferences::unsubscribe(&mut tx, user_id, ctx.clock.now()).await?;
    tx.commit().await?;
    let langue = users::find(&ctx.pool, user_id).await?.langue;
    let (title, text) = match langue {
        Lang::Fr => (
            "C’est fait.",
            "Vous ne recevrez plus le point quotidien. Pour le retrouver, ouvrez vos préférences.",
        ),
        Lang::En => (
            "Done.",
            "You will not receive the daily summary any more. To have it back, open your preferences.",
        ),
    };
    Ok(page(StatusCode::OK, langue, title, &html! { p { (text) } }))
}
