//! Preventive maintenance.
use axum::{
    Json,
    body::HttpBody as _,
    extract::{FromRequest, FromRequestParts as _, Request, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx,
    error::codes,
    input::{Input, Whole},
    planning::{self, NouvelleDate, Planning, PlanningCreate, PlanningFilter, PlanningPatch},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{CurrentUser, Json as Body, Query, RowId},
    if_match::{IfMatch, Tagged},
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("planning", "Preventive maintenance: what is due when.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, update, delete))
        .routes(routes!(move_on))
        .routes(routes!(apercu))
}

/// Plans the visits of a machine; without `prochaine_date` the next one is a period after `derniere_date`, or after now.
#[utoipa::path(
    post, path = "/planning", tag = "planning",
    request_body = PlanningCreate,
    responses(
        (status = 201, body = Planning),
        Refusals<404, codes::EquipementIntrouvable>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<PlanningCreate>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let planning = planning::create(&mut effect, &new, ctx.clock.now()).await?;
    effect.answer(StatusCode::CREATED, &planning).await
}

/// The plannings; a user of a client sees those of that client's equipment.
#[utoipa::path(
    get, path = "/planning", tag = "planning",
    params(Query<PlanningFilter>),
    responses(
        (status = 200, body = [Planning]),
    ),
)]
async fn list(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<PlanningFilter>,
) -> Result<Response, ApiError> {
    let listed = planning::list(&ctx.pool, &filter, user.scope()).await?;
    Ok(here.list(&filter.page, &listed))
}

/// One planning.
#[utoipa::path(
    get, path = "/planning/{id}", tag = "planning",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Planning),
        Refusals<404, codes::PlanningIntrouvable>,
    ),
)]
async fn show(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Tagged<Planning>, ApiError> {
    Ok(Tagged(planning::find(&ctx.pool, id, user.scope()).await?))
}

/// How many dates to foresee: 1 to 100, 12 by default.
#[derive(Input)]
struct Foresight(#[input(name = "n", as = Whole<1, 100>, or = Whole(12))] usize);

/// The dates of the next visits, as they will come by themselves: of a planning that rests, or whose machine is retired,
/// none. The first may have passed: its visit is opened within the hour, and stands for all that were missed.
#[utoipa::path(
    get, path = "/planning/{id}/apercu", tag = "planning",
    params(("id" = i64, Path), Query<Foresight>),
    responses(
        (status = 200, body = [DateTime<Utc>]),
        Refusals<404, codes::PlanningIntrouvable>,
    ),
)]
async fn apercu(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
    Query(Foresight(n)): Query<Foresight>,
) -> Result<Json<Vec<DateTime<Utc>>>, ApiError> {
    let planning = planning::find(&ctx.pool, id, user.scope()).await?;
    Ok(Json(planning::apercu(&ctx.pool, &planning, n, ctx.clock.now()).await?))
}

/// Changes a planning. Another frequency counts from the next visit on, whose date stays.
#[utoipa::path(
    put, path = "/planning/{id}", tag = "planning",
    params(("id" = i64, Path)),
    request_body = PlanningPatch,
    responses(
        (status = 200, body = Planning),
        Refusals<404, codes::PlanningIntrouvable>,
    ),
)]
async fn update(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(patch): Body<PlanningPatch>,
) -> Result<Tagged<Planning>, ApiError> {
    let mut tx = ctx.begin().await?;
    let old = planning::find_for_update(&mut tx, id).await?;
    let planning = if_match.judge(&old, planning::update(&mut tx, id, patch).await?)?;
    tx.commit().await?;
    Ok(Tagged(planning))
}

/// The new date, from the query (`?nouvelle_date=…`) or, if it is absent there, from a JSON body.
struct QueryOrBody(NouvelleDate);

impl<S: Send + Sync> FromRequest<S> for QueryOrBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let in_query = request.uri().query().is_some_and(|query| query.contains("nouvelle_date"));
        if in_query || request.body().is_end_stream() {
            let (mut parts, _) = request.into_parts();
            return Ok(Self(Query::from_request_parts(&mut parts, state).await?.0));
        }
        Ok(Self(Body::from_request(request, state).await?.0))
    }
}

/// The visit that was due becomes the last one; the next one is at `nouvelle_date`.
#[utoipa::path(
    patch, path = "/planning/{id}/dates", tag = "planning",
    params(("id" = i64, Path), ("nouvelle_date" = Option<String>, Query, description = "Or in a JSON body.", format = DateTime)),
    request_body(content = Option<NouvelleDate>),
    responses(
        (status = 200, body = Planning),
        Refusals<404, codes::PlanningIntrouvable>,
    ),
)]
async fn move_on(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    QueryOrBody(NouvelleDate(date)): QueryOrBody,
) -> Result<Tagged<Planning>, ApiError> {
    let mut tx = ctx.begin().await?;
    let old = planning::find_for_update(&mut tx, id).await?;
    let planning = if_match.judge(&old, planning::move_on(&mut tx, id, date).await?)?;
    tx.commit().await?;
    Ok(Tagged(planning))
}

/// Removes a planning; the interventions that it opened stay.
#[utoipa::path(
    delete, path = "/planning/{id}", tag = "planning",
    params(("id" = i64, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::PlanningIntrouvable>,
    ),
)]
async fn delete(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<StatusCode, ApiError> {
    let mut tx = ctx.begin().await?;
    planning::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
