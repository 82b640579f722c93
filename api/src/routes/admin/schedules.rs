//! Schedules: the jobs that are enqueued at set times.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Result, Tx,
    audit::{self, Acte, Cible, Entry},
    error::codes,
    schedules::{self, NamedPatch, Schedule, SchedulePatch},
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, Json as Body, Name},
    if_match::{IfMatch, Tagged},
    once::Once,
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, update_named))
        .routes(routes!(update))
        .routes(routes!(run))
}

/// The schedules.
#[utoipa::path(
    get, path = "/admin/schedules", tag = "admin", operation_id = "schedules_list",
    responses(
        (status = 200, body = Vec<Schedule>),
    ),
)]
async fn list(State(ctx): State<Ctx>) -> Result<Json<Vec<Schedule>>, ApiError> {
    Ok(Json(schedules::list(&ctx.pool).await?))
}

/// Changes when the schedule named in the body comes due; what the body does not name stays.
#[utoipa::path(
    put, path = "/admin/schedules", tag = "admin", operation_id = "schedules_update_named",
    request_body = NamedPatch,
    responses(
        (status = 200, body = Schedule),
        Refusals<404, codes::PlanificationIntrouvable>,
        Refusals<409, codes::PlanificationSansDate>,
    ),
)]
async fn update_named(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    auteur: Auteur,
    Body(NamedPatch { name, patch }): Body<NamedPatch>,
) -> Result<Tagged<Schedule>, ApiError> {
    update(State(ctx), if_match, auteur, Name(name), Body(patch)).await
}

/// Changes when a schedule comes due; what the body does not name stays.
#[utoipa::path(
    put, path = "/admin/schedules/{name}", tag = "admin", operation_id = "schedules_update",
    params(("name" = String, Path, max_length = 100)),
    request_body = SchedulePatch,
    responses(
        (status = 200, body = Schedule),
        Refusals<404, codes::PlanificationIntrouvable>,
        Refusals<409, codes::PlanificationSansDate>,
    ),
)]
async fn update(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    Auteur(auteur): Auteur,
    Name(name): Name,
    Body(patch): Body<SchedulePatch>,
) -> Result<Tagged<Schedule>, ApiError> {
    let mut tx = ctx.begin().await?;
    let schedule = edited(&ctx, &mut tx, &auteur, &name, patch, &if_match).await?;
    tx.commit().await?;
    Ok(Tagged(schedule))
}

/// Edits schedule `name`, and records it.
pub(crate) async fn edited(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    name: &str,
    patch: SchedulePatch,
    if_match: &IfMatch,
) -> Result<Schedule> {
    let before = schedules::find_for_update(tx, name).await?;
    let schedule = schedules::update(tx, name, patch).await?;
    let schedule = if_match.judge(&before, schedule)?;
    Entry::new(Acte::PlanificationModifiee, auteur)
        .on(Cible::Planification, &name)
        .before(json!(before))
        .after(json!(schedule))
        .record(tx, ctx.clock.now())
        .await?;
    Ok(schedule)
}

/// Enqueues the job of a schedule at once; its dates stay.
#[utoipa::path(
    post, path = "/admin/schedules/{name}/run", tag = "admin", operation_id = "schedules_run",
    params(("name" = String, Path, max_length = 100)),
    responses(
        (status = 202, body = Schedule, description = "Its job is enqueued."),
        Refusals<404, codes::PlanificationIntrouvable>,
    ),
)]
async fn run(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let schedule = launched(&ctx, &mut effect, &auteur, &name).await?;
    effect.answer(StatusCode::ACCEPTED, &schedule).await
}

/// Enqueues the job of schedule `name` at once, and records it.
pub(crate) async fn launched(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    name: &str,
) -> Result<Schedule> {
    let schedule = schedules::run_now(tx, name).await?;
    let entry = Entry::new(Acte::PlanificationLancee, auteur).on(Cible::Planification, &name);
    entry.record(tx, ctx.clock.now()).await?;
    Ok(schedule)
}
