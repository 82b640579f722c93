//! Visits and deadlines as iCalendar, for the calendar of a phone.
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use erp_core::{
    Ctx, Error, Result,
    calendrier::{self, Calendrier, CalendrierEtat, CalendrierOut},
    error::codes,
    input::{Input, Trimmed},
    techniciens,
    users::{self, UserRole},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{CurrentUser, MaybeUser, Query, RowId},
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) =
    ("calendrier", "Visits and interventions in a calendar program, at addresses with a secret.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(etat, renew, revoke))
        .routes(routes!(of_plannings))
        .routes(routes!(of_technicien))
}

/// Whether the caller has calendar addresses. They are shown only when they are made.
#[utoipa::path(
    get, path = "/users/me/calendrier", tag = "calendrier",
    responses((status = 200, body = CalendrierEtat)),
)]
async fn etat(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Json<CalendrierEtat>, ApiError> {
    Ok(Json(calendrier::etat(&ctx.pool, user.id).await?))
}

/// Makes the caller's calendar addresses, to be given to a phone or a mail program. Earlier ones end.
#[utoipa::path(
    post, path = "/users/me/calendrier", tag = "calendrier",
    responses((status = 201, body = CalendrierOut)),
)]
async fn renew(
    user: CurrentUser,
    State(ctx): State<Ctx>,
) -> Result<(StatusCode, Json<CalendrierOut>), ApiError> {
    let mut tx = ctx.begin().await?;
    let made = calendrier::renew(&ctx, &mut tx, user.id, user.session()?).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Ends the caller's calendar addresses.
#[utoipa::path(
    delete, path = "/users/me/calendrier", tag = "calendrier",
    responses((status = 204)),
)]
async fn revoke(user: CurrentUser, State(ctx): State<Ctx>) -> Result<StatusCode, ApiError> {
    let mut tx = ctx.begin().await?;
    calendrier::revoke(&mut tx, user.id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Input)]
struct Secret(#[input(name = "jeton", as = Trimmed<200>)] Option<String>);

/// The reader of a calendar: the signed-in caller or, without one, the user that the secret in the address identifies.
async fn reader(ctx: &Ctx, user: MaybeUser, secret: Secret) -> Result<CurrentUser> {
    match (user, secret) {
        (MaybeUser(Some(user)), _) => Ok(user),
        (_, Secret(jeton)) => {
            Ok(calendrier::owner(&ctx.pool, &jeton.unwrap_or_default()).await?.into())
        }
    }
}

/// The visits of the plannings in the next three months, as iCalendar; a user of a client sees those of that client's
/// equipment.
#[utoipa::path(
    get, path = "/planning/calendrier.ics", tag = "calendrier",
    params(("jeton" = Option<String>, Query, description = "The secret of `POST /users/me/calendrier`; or a bearer token.")),
    responses(
        (status = 200, description = "The calendar.", content_type = "text/calendar", body = String),
        Refusals<401, codes::JetonInvalide>,
    ),
)]
async fn of_plannings(
    user: MaybeUser,
    State(ctx): State<Ctx>,
    Query(secret): Query<Secret>,
) -> Result<Response, ApiError> {
    let reader = reader(&ctx, user, secret).await?;
    let langue = users::find(&ctx.pool, reader.id).await?.langue;
    Ok(ics(calendrier::of_plannings(&ctx, reader.scope(), langue).await?))
}

/// The interventions of a technicien that are not over and have a deadline, as iCalendar; for that technicien and
/// responsables.
#[utoipa::path(
    get, path = "/techniciens/{id}/calendrier.ics", tag = "calendrier",
    params(
        ("id" = i64, Path),
        ("jeton" = Option<String>, Query, description = "The secret of `POST /users/me/calendrier`; or a bearer token."),
    ),
    responses(
        (status = 200, description = "The calendar.", content_type = "text/calendar", body = String),
        Refusals<401, codes::JetonInvalide>,
        Refusals<403, codes::ActionInterdite>,
        Refusals<404, codes::TechnicienIntrouvable>,
    ),
)]
async fn of_technicien(
    RowId(id): RowId,
    user: MaybeUser,
    State(ctx): State<Ctx>,
    Query(secret): Query<Secret>,
) -> Result<Response, ApiError> {
    let reader = reader(&ctx, user, secret).await?;
    techniciens::find(&ctx.pool, id).await?;
    let own = techniciens::find_by_user(&ctx.pool, reader.id).await? == Some(id);
    if !own && !matches!(reader.role, UserRole::Admin | UserRole::Responsable) {
        return Err(Error::forbidden().into());
    }
    let langue = users::find(&ctx.pool, reader.id).await?.langue;
    Ok(ics(calendrier::of_technicien(&ctx, id, langue).await?))
}

fn ics(Calendrier(text): Calendrier) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (header::CACHE_CONTROL, "private, max-age=300"),
        // The address contains a secret.
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (headers, text).into_response()
}
