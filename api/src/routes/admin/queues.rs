//! Queues, the worker processes that serve them, and the breakers of the services that jobs need.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Result, Tx,
    audit::{self, Acte, Cible, Entry},
    error::codes,
    operate::{
        self, QueueConcurrency, QueueOut, WorkerOut,
        breakers::{self, BreakerOut},
    },
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Json as Body, Name},
    once::Once,
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(set_concurrency))
        .routes(routes!(workers))
        .routes(routes!(breakers))
}

/// The queues, with what waits in them.
#[utoipa::path(
    get, path = "/admin/queues", tag = "admin", operation_id = "queues_list",
    responses(
        (status = 200, body = Vec<QueueOut>),
    ),
)]
async fn list(State(ctx): State<Ctx>) -> Result<Json<Vec<QueueOut>>, ApiError> {
    Ok(Json(operate::queues(&ctx.pool).await?))
}

/// Lets no worker take a job of this queue any more; what runs ends.
#[utoipa::path(
    post, path = "/admin/queues/{name}/pause", tag = "admin", operation_id = "queues_pause",
    params(("name" = String, Path, max_length = 100)),
    responses(
        (status = 200, body = Vec<QueueOut>, description = "All queues."),
        Refusals<404, codes::FileIntrouvable>,
    ),
)]
async fn pause(
    user: CurrentUser,
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    paused(&ctx, &mut effect, &auteur, &name, user.id).await?;
    let queues = operate::queues(&mut **effect).await?;
    effect.answer(StatusCode::OK, &queues).await
}

/// Lets workers take the jobs of this queue again.
#[utoipa::path(
    post, path = "/admin/queues/{name}/resume", tag = "admin", operation_id = "queues_resume",
    params(("name" = String, Path, max_length = 100)),
    responses(
        (status = 200, body = Vec<QueueOut>, description = "All queues."),
        Refusals<404, codes::FileIntrouvable>,
    ),
)]
async fn resume(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    resumed(&ctx, &mut effect, &auteur, &name).await?;
    let queues = operate::queues(&mut **effect).await?;
    effect.answer(StatusCode::OK, &queues).await
}

/// How many jobs of this queue each worker process runs at once; null: as many as its program says. All follow within five
/// seconds, and what runs goes on. No process runs more than its job allows (`MOST_AT_ONCE`).
#[utoipa::path(
    post, path = "/admin/queues/{name}/concurrency", tag = "admin", operation_id = "queues_concurrency",
    params(("name" = String, Path, max_length = 100)),
    request_body = QueueConcurrency,
    responses(
        (status = 200, body = Vec<QueueOut>, description = "All queues."),
        Refusals<404, codes::FileIntrouvable>,
    ),
)]
async fn set_concurrency(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
    Body(wanted): Body<QueueConcurrency>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    concurrency_set(&ctx, &mut effect, &auteur, &name, &wanted).await?;
    let queues = operate::queues(&mut **effect).await?;
    effect.answer(StatusCode::OK, &queues).await
}

/// The worker processes that were heard of in the last day, latest first.
#[utoipa::path(
    get, path = "/admin/workers", tag = "admin", operation_id = "workers_list",
    responses(
        (status = 200, body = Vec<WorkerOut>),
    ),
)]
async fn workers(State(ctx): State<Ctx>) -> Result<Json<Vec<WorkerOut>>, ApiError> {
    Ok(Json(operate::workers(&ctx.pool).await?))
}

/// What jobs need and is known to be away: their workers probe it one at a time, and the other jobs wait.
#[utoipa::path(
    get, path = "/admin/breakers", tag = "admin", operation_id = "breakers_list",
    responses(
        (status = 200, body = Vec<BreakerOut>),
    ),
)]
async fn breakers(State(ctx): State<Ctx>) -> Result<Json<Vec<BreakerOut>>, ApiError> {
    Ok(Json(breakers::list(&ctx.pool).await?))
}

/// Pauses queue `name` by order of user `by`, and records it.
pub(crate) async fn paused(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    name: &str,
    by: i64,
) -> Result<()> {
    operate::pause(tx, name, by).await?;
    let entry = Entry::new(Acte::FileSuspendue, auteur).on(Cible::File, &name);
    entry.record(tx, ctx.clock.now()).await
}

/// Resumes queue `name`, and records it.
pub(crate) async fn resumed(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    name: &str,
) -> Result<()> {
    operate::resume(tx, name).await?;
    let entry = Entry::new(Acte::FileReprise, auteur).on(Cible::File, &name);
    entry.record(tx, ctx.clock.now()).await
}

/// Sets the concurrency of queue `name`, and records it.
pub(crate) async fn concurrency_set(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    name: &str,
    wanted: &QueueConcurrency,
) -> Result<()> {
    operate::set_concurrency(tx, name, wanted.concurrency).await?;
    let entry = Entry::new(Acte::FileReglee, auteur).on(Cible::File, &name);
    entry.after(json!(wanted)).record(tx, ctx.clock.now()).await
}
