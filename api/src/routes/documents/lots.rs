//! Lots: files that are uploaded one by one and belong together.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    documents::lots::{self, LotOut},
    error::codes,
    interventions,
    scope::Scope,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{CurrentUser, RowId},
    once::Once,
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(open)).routes(routes!(read)).routes(routes!(close))
}

/// Opens a lot of files of the intervention `id`: uploads name it (`lot`), and whoever opened it is told once, when all of them
/// have been looked at. It closes by itself after an hour.
#[utoipa::path(
    post, path = "/interventions/{id}/lots", tag = "documents",
    params(("id" = i64, Path)),
    responses(
        (status = 201, body = LotOut),
        Refusals<404, codes::InterventionIntrouvable>,
    ),
)]
async fn open(
    user: CurrentUser,
    once: Once,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    interventions::find(&ctx.pool, id, Scope::All).await?;
    let mut effect = once.begin(&ctx).await?;
    let lot = lots::open(&mut effect, id, user.id, ctx.clock.now()).await?;
    effect.answer(StatusCode::CREATED, &lot).await
}

/// The lot `id`, and how its files stand.
#[utoipa::path(
    get, path = "/lots/{id}", tag = "documents",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = LotOut),
        Refusals<404, codes::LotIntrouvable>,
    ),
)]
async fn read(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<Json<LotOut>, ApiError> {
    Ok(Json(lots::find(&ctx.pool, id).await?.into()))
}

/// Closes the lot `id`: no more files come. A technicien closes those that they opened themselves.
#[utoipa::path(
    post, path = "/lots/{id}/fin", tag = "documents",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = LotOut),
        Refusals<404, codes::LotIntrouvable>,
    ),
)]
async fn close(
    user: CurrentUser,
    once: Once,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let lot = lots::close(&mut effect, id, user.reach(), ctx.clock.now()).await?;
    effect.answer(StatusCode::OK, &lot).await
}
