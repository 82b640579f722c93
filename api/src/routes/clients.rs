//! The companies and people that are served.
use axum::{extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    clients::{self, Client, ClientFields, ClientFilter, ClientPatch},
    error::codes,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Json as Body, Query, RowId},
    if_match::{IfMatch, Tagged},
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) =
    ("clients", "The companies served; a user with the role client sees only what is theirs.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(show, update, delete))
}

/// Records a client.
#[utoipa::path(
    post, path = "/clients", tag = "clients",
    request_body = ClientFields,
    responses(
        (status = 201, body = Client),
        Refusals<409, codes::IceDejaUtilise>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<ClientFields>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let client = clients::create(&mut effect, &new, ctx.clock.now()).await?;
    effect.answer(StatusCode::CREATED, &client).await
}

/// The clients.
#[utoipa::path(
    get, path = "/clients", tag = "clients",
    params(Query<ClientFilter>),
    responses(
        (status = 200, body = [Client]),
    ),
)]
async fn list(
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<ClientFilter>,
) -> Result<Response, ApiError> {
    Ok(here.list(&filter.page, &clients::list(&ctx.pool, &filter).await?))
}

/// One client.
#[utoipa::path(
    get, path = "/clients/{id}", tag = "clients",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Client),
        Refusals<404, codes::ClientIntrouvable>,
    ),
)]
async fn show(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<Tagged<Client>, ApiError> {
    Ok(Tagged(clients::find(&ctx.pool, id).await?))
}

/// Changes a client.
#[utoipa::path(
    put, path = "/clients/{id}", tag = "clients",
    params(("id" = i64, Path)),
    request_body = ClientPatch,
    responses(
        (status = 200, body = Client),
        Refusals<404, codes::ClientIntrouvable>,
        Refusals<409, codes::IceDejaUtilise>,
    ),
)]
async fn update(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(patch): Body<ClientPatch>,
) -> Result<Tagged<Client>, ApiError> {
    let mut tx = ctx.begin().await?;
    let old = clients::find_for_update(&mut tx, id).await?;
    let client = if_match.judge(&old, clients::update(&mut tx, old.clone(), patch).await?)?;
    tx.commit().await?;
    Ok(Tagged(client))
}

/// Removes a client that no equipment and no user refers to.
#[utoipa::path(
    delete, path = "/clients/{id}", tag = "clients",
    params(("id" = i64, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::ClientIntrouvable>,
        Refusals<409, codes::ClientUtilise>,
    ),
)]
async fn delete(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<StatusCode, ApiError> {
    let mut tx = ctx.begin().await?;
    clients::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
