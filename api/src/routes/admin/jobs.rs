//! Jobs: shown, retried, cancelled and deleted.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Result, Tx,
    audit::{self, Acte, Cible, Entry},
    error::codes,
    operate::{self, Action, BulkOut, JobBulk, JobDetail, JobFilter, JobList, JobOut},
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    console::words::for_the_record,
    extract::{Auteur, Name, Query},
    list::Here,
    once::Once,
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(list, delete_all))
        .routes(routes!(show, delete))
        .routes(routes!(retry_all))
        .routes(routes!(cancel_all))
        .routes(routes!(retry))
        .routes(routes!(cancel))
}

/// The jobs, newest first. Their life is drawn in `docs/jobs.md`.
#[utoipa::path(
    get, path = "/admin/jobs", tag = "admin", operation_id = "jobs_list",
    params(Query<JobList>),
    responses(
        (status = 200, body = [JobOut]),
    ),
)]
async fn list(
    State(ctx): State<Ctx>,
    here: Here,
    Query(list): Query<JobList>,
) -> Result<Response, ApiError> {
    Ok(here.list(&list.page, &operate::list(&ctx.pool, &list).await?))
}

/// One job: its payload, every attempt, and the request that caused it.
#[utoipa::path(
    get, path = "/admin/jobs/{id}", tag = "admin", operation_id = "jobs_show",
    params(("id" = String, Path, max_length = 100)),
    responses(
        (status = 200, body = JobDetail),
        Refusals<404, codes::TacheIntrouvable>,
    ),
)]
async fn show(State(ctx): State<Ctx>, Name(id): Name) -> Result<Json<JobDetail>, ApiError> {
    Ok(Json(operate::find(&ctx.pool, &id).await?))
}

/// Runs a job again that is dead or cancelled, and at once one that waits. One that is ready stays as it is.
#[utoipa::path(
    post, path = "/admin/jobs/{id}/retry", tag = "admin", operation_id = "jobs_retry",
    params(("id" = String, Path, max_length = 100)),
    responses(
        (status = 200, body = JobDetail),
        Refusals<404, codes::TacheIntrouvable>,
        Refusals<409, codes::TacheNonRelancable>,
    ),
)]
async fn retry(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let job = act(&ctx, &mut effect, &auteur, Action::Retry, &id).await?;
    effect.answer(StatusCode::OK, &job).await
}

/// Calls off a job that has not ended; the worker that runs it stops within seconds.
#[utoipa::path(
    post, path = "/admin/jobs/{id}/cancel", tag = "admin", operation_id = "jobs_cancel",
    params(("id" = String, Path, max_length = 100)),
    responses(
        (status = 200, body = JobDetail),
        Refusals<404, codes::TacheIntrouvable>,
        Refusals<409, codes::TacheTerminee>,
    ),
)]
async fn cancel(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let job = act(&ctx, &mut effect, &auteur, Action::Cancel, &id).await?;
    effect.answer(StatusCode::OK, &job).await
}

/// Removes a job that has ended.
#[utoipa::path(
    delete, path = "/admin/jobs/{id}", tag = "admin", operation_id = "jobs_delete",
    params(("id" = String, Path, max_length = 100)),
    responses(
        (status = 204),
        Refusals<404, codes::TacheIntrouvable>,
        Refusals<409, codes::TacheNonTerminee>,
    ),
)]
async fn delete(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<StatusCode, ApiError> {
    let mut tx = ctx.begin().await?;
    act(&ctx, &mut tx, &auteur, Action::Delete, &id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs again the jobs of a filter that are dead, cancelled or waiting after a failure, a thousand at a time.
#[utoipa::path(
    post, path = "/admin/jobs/retry", tag = "admin", operation_id = "jobs_retry_all",
    params(Query<JobBulk>),
    responses(
        (status = 200, body = BulkOut),
        Refusals<400, codes::CritereManquant>,
    ),
)]
async fn retry_all(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Query(bulk): Query<JobBulk>,
) -> Result<Response, ApiError> {
    if bulk.preview {
        return once
            .without_effect(&operate::preview(&ctx.pool, Action::Retry, &bulk.filter).await?);
    }
    let mut effect = once.begin(&ctx).await?;
    let done =
        act_on_all(&ctx, &mut effect, &auteur, Action::Retry, (&bulk.filter, i64::MAX)).await?;
    effect.answer(StatusCode::OK, &done).await
}

/// Calls off the jobs of a filter that have not ended, a thousand at a time.
#[utoipa::path(
    post, path = "/admin/jobs/cancel", tag = "admin", operation_id = "jobs_cancel_all",
    params(Query<JobBulk>),
    responses(
        (status = 200, body = BulkOut),
        Refusals<400, codes::CritereManquant>,
    ),
)]
async fn cancel_all(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Query(bulk): Query<JobBulk>,
) -> Result<Response, ApiError> {
    if bulk.preview {
        return once
            .without_effect(&operate::preview(&ctx.pool, Action::Cancel, &bulk.filter).await?);
    }
    let mut effect = once.begin(&ctx).await?;
    let done =
        act_on_all(&ctx, &mut effect, &auteur, Action::Cancel, (&bulk.filter, i64::MAX)).await?;
    effect.answer(StatusCode::OK, &done).await
}

/// Removes the jobs of a filter that have ended, a thousand at a time.
#[utoipa::path(
    delete, path = "/admin/jobs", tag = "admin", operation_id = "jobs_delete_all",
    params(Query<JobBulk>),
    responses(
        (status = 200, body = BulkOut),
        Refusals<400, codes::CritereManquant>,
    ),
)]
async fn delete_all(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Query(bulk): Query<JobBulk>,
) -> Result<Json<BulkOut>, ApiError> {
    if bulk.preview {
        return Ok(Json(operate::preview(&ctx.pool, Action::Delete, &bulk.filter).await?));
    }
    let mut tx = ctx.begin().await?;
    let done = act_on_all(&ctx, &mut tx, &auteur, Action::Delete, (&bulk.filter, i64::MAX)).await?;
    tx.commit().await?;
    Ok(Json(done))
}

fn acte(action: Action) -> Acte {
    match action {
        Action::Retry => Acte::TachesRelancees,
        Action::Cancel => Acte::TachesAnnulees,
        Action::Delete => Acte::TachesSupprimees,
    }
}

/// Does `action` to job `id`, and records who did.
pub(crate) async fn act(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    action: Action,
    id: &str,
) -> Result<JobDetail> {
    let now = ctx.clock.now();
    let job = operate::act(tx, action, id, now).await?;
    Entry::new(acte(action), auteur)
        .on(Cible::Tache, &id)
        .after(json!({ "type": job.job.type_, "count": 1 }))
        .record(tx, now)
        .await?;
    Ok(job)
}

/// Does `action` to the jobs of `filter`, `most` and a thousand at the most, and records who did.
pub(crate) async fn act_on_all(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    action: Action,
    (filter, most): (&JobFilter, i64),
) -> Result<BulkOut> {
    let now = ctx.clock.now();
    let done = operate::act_on_all(tx, action, filter, most, now).await?;
    let mut after = json!({ "filter": filter, "count": done.count });
    // The filter of a group has a hash: what it stands for is gone when its jobs are.
    if let (Some(_), Some(error)) = (&filter.error_alike, &done.error) {
        after["error"] = json!(for_the_record(error));
    }
    Entry::new(acte(action), auteur).after(after).record(tx, now).await?;
    Ok(done)
}
