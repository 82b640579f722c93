//! Machines and installations.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    equipements::{
        self, Equipement, EquipementFields, EquipementFilter, EquipementHistorique,
        EquipementPatch, HistoriqueFilter, Reader,
    },
    error::codes,
    scope::Scope,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::Detail;
use crate::{
    ApiError,
    extract::{CurrentUser, Json as Body, MaybeUser, Query, RowId},
    if_match::{IfMatch, Tagged},
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("equipements", "The machines that are maintained.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, update, delete))
        .routes(routes!(historique))
}

/// Records a machine.
#[utoipa::path(
    post, path = "/equipements", tag = "equipements",
    request_body = EquipementFields,
    responses(
        (status = 200, body = Equipement),
        Refusals<400, codes::EquipementExiste>,
        Refusals<404, codes::ClientIntrouvable>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<EquipementFields>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let equipement = equipements::create(&mut effect, &new).await?;
    effect.answer(StatusCode::OK, &equipement).await
}

/// The machines; a user of a client sees that client's.
#[utoipa::path(
    get, path = "/equipements", tag = "equipements",
    params(Query<EquipementFilter>),
    responses(
        (status = 200, body = [Equipement]),
    ),
)]
async fn list(
    MaybeUser(user): MaybeUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<EquipementFilter>,
) -> Result<Response, ApiError> {
    let scope = user.as_ref().map_or(Scope::All, CurrentUser::scope);
    Ok(here.list(&filter.page, &equipements::list(&ctx.pool, &filter, scope).await?))
}

/// One machine.
#[utoipa::path(
    get, path = "/equipements/{id}", tag = "equipements",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Equipement),
        Refusals<404, codes::EquipementIntrouvable>,
    ),
)]
async fn show(
    MaybeUser(user): MaybeUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Tagged<Equipement>, ApiError> {
    let scope = user.as_ref().map_or(Scope::All, CurrentUser::scope);
    Ok(Tagged(equipements::find(&ctx.pool, id, scope).await?))
}

/// The past of a machine: the newest interventions, visits and documents, and what it cost in each year. Users of a client see
/// that of their own, and of who uploaded a document the name and the function.
#[utoipa::path(
    get, path = "/equipements/{id}/historique", tag = "equipements",
    params(("id" = i64, Path), Query<HistoriqueFilter>),
    responses(
        (status = 200, body = EquipementHistorique),
        Refusals<404, codes::EquipementIntrouvable>,
    ),
)]
async fn historique(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
    Query(filter): Query<HistoriqueFilter>,
) -> Result<Json<EquipementHistorique>, ApiError> {
    let reader = Reader {
        scope: user.scope(),
        signed_urls: &ctx.signed_urls,
        sla: &ctx.config.sla,
        now: ctx.clock.now(),
    };
    Ok(Json(equipements::historique(&ctx.pool, id, &filter, reader).await?))
}

/// Changes a machine.
#[utoipa::path(
    put, path = "/equipements/{id}", tag = "equipements",
    params(("id" = i64, Path)),
    request_body = EquipementPatch,
    responses(
        (status = 200, body = Equipement),
        Refusals<400, codes::EquipementExiste>,
        Refusals<404, (codes::EquipementIntrouvable, codes::ClientIntrouvable)>,
    ),
)]
async fn update(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(patch): Body<EquipementPatch>,
) -> Result<Tagged<Equipement>, ApiError> {
    let mut tx = ctx.begin().await?;
    let old = equipements::find_for_update(&mut tx, id).await?;
    let equipement =
        if_match.judge(&old, equipements::update(&mut tx, old.clone(), patch).await?)?;
    tx.commit().await?;
    Ok(Tagged(equipement))
}

/// Removes a machine that no intervention refers to.
#[utoipa::path(
    delete, path = "/equipements/{id}", tag = "equipements",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Detail),
        Refusals<404, codes::EquipementIntrouvable>,
        Refusals<409, codes::EquipementUtilise>,
    ),
)]
async fn delete(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<Json<Detail>, ApiError> {
    let mut tx = ctx.begin().await?;
    equipements::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Detail { detail: "Équipement supprimé." }))
}
