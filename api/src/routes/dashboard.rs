//! Figures for the home page, and the indicators of maintenance.
use axum::{Extension, Json, extract::State};
use erp_core::{
    Ctx,
    dashboard::{self, Stats},
    error::codes,
    kpi::{self, Kpi, KpiFilter},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{CurrentUser, Query},
    layers::RequestInfo,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) =
    ("dashboard", "Figures for the home page, and the indicators of maintenance.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(stats)).routes(routes!(kpi))
}

/// How many interventions, machines and people, and how fast things go; a user of a client gets that client's numbers.
#[utoipa::path(
    get, path = "/dashboard/stats", tag = "dashboard",
    responses(
        (status = 200, body = Stats),
    ),
)]
async fn stats(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Json<Stats>, ApiError> {
    let now = ctx.clock.now();
    Ok(Json(dashboard::stats(&ctx.pool, user.scope(), now).await?))
}

/// The indicators of maintenance over a period: MTBF, MTTR, availability, preventive compliance, backlog, planned work, response times.
///
/// From day `du` to day `au`, both included, by the clock in Morocco: at most three years, by default the last ninety days. Each indicator
/// says how it is computed, from what, after which standard, and what is done where data are missing; what cannot be known is null, with
/// the reason. A user of a client gets the numbers of that client's machines.
#[utoipa::path(
    get, path = "/kpi", tag = "dashboard",
    params(Query<KpiFilter>),
    responses(
        (status = 200, body = Kpi),
        Refusals<404, (codes::ClientIntrouvable, codes::EquipementIntrouvable)>,
    ),
)]
async fn kpi(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    Query(filter): Query<KpiFilter>,
) -> Result<Json<Kpi>, ApiError> {
    let now = ctx.clock.now();
    Ok(Json(kpi::kpi(&ctx.pool, &filter, user.scope(), info.lang, now).await?))
}
