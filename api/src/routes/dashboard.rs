//! Figures for the home page.
use axum::{Json, extract::State};
use erp_core::{
    Ctx,
    dashboard::{self, Stats},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{ApiError, extract::CurrentUser};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("dashboard", "Figures for the home page.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(stats))
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
