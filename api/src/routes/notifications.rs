//! Notifications of users.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    error::codes,
    notifications::{
        self, CountsOut, NewNotification, NotificationFilter, NotificationOut, OwnFilter,
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Detail, auth::Message};
use crate::{
    ApiError,
    extract::{CurrentUser, Json as Body, Query, RowId},
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) =
    ("notifications", "What people are told, by e-mail or in the application.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(list_own))
        .routes(routes!(counts))
        .routes(routes!(list_of_user))
        .routes(routes!(mark_read))
        .routes(routes!(delete))
}

/// Tells a user something about an intervention. With `email` the worker sends the mail; nobody waits for it here.
#[utoipa::path(
    post, path = "/notifications", tag = "notifications",
    request_body = NewNotification,
    responses(
        (status = 201, body = NotificationOut),
        Refusals<404, (codes::UtilisateurIntrouvable, codes::InterventionIntrouvable)>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<NewNotification>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let notification = notifications::create(&mut effect, &new.into(), ctx.clock.now()).await?;
    effect.answer(StatusCode::CREATED, &notification).await
}

/// All notifications.
#[utoipa::path(
    get, path = "/notifications", tag = "notifications",
    params(Query<NotificationFilter>),
    responses(
        (status = 200, body = [NotificationOut]),
    ),
)]
async fn list(
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<NotificationFilter>,
) -> Result<Response, ApiError> {
    Ok(here.list(&filter.page, &notifications::list(&ctx.pool, &filter).await?))
}

/// The caller's notifications.
#[utoipa::path(
    get, path = "/notifications/user/me", tag = "notifications",
    params(Query<OwnFilter>),
    responses(
        (status = 200, body = [NotificationOut]),
    ),
)]
async fn list_own(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<OwnFilter>,
) -> Result<Response, ApiError> {
    let filter = filter.of(user.id);
    Ok(here.list(&filter.page, &notifications::list(&ctx.pool, &filter).await?))
}

/// How many notifications the caller has, and has not read.
#[utoipa::path(
    get, path = "/notifications/user/me/count", tag = "notifications",
    responses((status = 200, body = CountsOut)),
)]
async fn counts(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Json<CountsOut>, ApiError> {
    Ok(Json(notifications::counts(&ctx.pool, user.id).await?))
}

/// The notifications of one user.
#[utoipa::path(
    get, path = "/notifications/user/{user_id}", tag = "notifications",
    params(("user_id" = i64, Path), Query<OwnFilter>),
    responses(
        (status = 200, body = [NotificationOut]),
        Refusals<404, codes::UtilisateurIntrouvable>,
    ),
)]
async fn list_of_user(
    State(ctx): State<Ctx>,
    RowId(user_id): RowId,
    here: Here,
    Query(filter): Query<OwnFilter>,
) -> Result<Response, ApiError> {
    erp_core::users::find(&ctx.pool, user_id).await?;
    let filter = filter.of(user_id);
    Ok(here.list(&filter.page, &notifications::list(&ctx.pool, &filter).await?))
}

/// Marks one of the caller's notifications as read.
#[utoipa::path(
    put, path = "/notifications/{id}/read", tag = "notifications",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Message),
        Refusals<404, codes::NotificationIntrouvable>,
    ),
)]
async fn mark_read(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Json<Message>, ApiError> {
    let mut tx = ctx.begin().await?;
    notifications::mark_read(&mut tx, id, user.id).await?;
    tx.commit().await?;
    Ok(Json(Message { message: "Notification marquée comme lue." }))
}

/// Removes a notification; a mail of it that still waits is not sent.
#[utoipa::path(
    delete, path = "/notifications/{id}", tag = "notifications",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Detail),
        Refusals<404, codes::NotificationIntrouvable>,
    ),
)]
async fn delete(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<Json<Detail>, ApiError> {
    let mut tx = ctx.begin().await?;
    notifications::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Detail { detail: "Notification supprimée." }))
}
