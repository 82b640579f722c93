//! Techniciens and their skills.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    charge::{self, ChargeOut},
    error::codes,
    input::Input,
    interventions,
    page::Page,
    techniciens::{
        self, Competence, CompetenceCreate, TechnicienCreate, TechnicienOut, TechnicienUpdate,
    },
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
pub(super) const TAG: (&str, &str) = ("techniciens", "Technicians and their skills (compétences).");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(create_competence, list_competences))
        .routes(routes!(show, update, delete))
        .routes(routes!(charge))
}

/// Makes a user of role technicien a technicien.
#[utoipa::path(
    post, path = "/techniciens", tag = "techniciens",
    request_body = TechnicienCreate,
    responses(
        (status = 200, body = TechnicienOut),
        Refusals<400, codes::RoleIncompatible>,
        Refusals<404, (codes::UtilisateurIntrouvable, codes::CompetenceIntrouvable)>,
        Refusals<409, codes::TechnicienExiste>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<TechnicienCreate>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let technicien = techniciens::create(&mut effect, &new).await?;
    effect.answer(StatusCode::OK, &technicien).await
}

#[derive(Input)]
struct TechnicienList(#[input(page = techniciens::SORTABLE)] Page);

/// The techniciens. Users of a client see of each person the name and the function.
#[utoipa::path(
    get, path = "/techniciens", tag = "techniciens",
    params(Query<TechnicienList>),
    responses(
        (status = 200, body = [TechnicienOut]),
    ),
)]
async fn list(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(TechnicienList(page)): Query<TechnicienList>,
) -> Result<Response, ApiError> {
    let listed = techniciens::list(&ctx.pool, &page).await?;
    let listed = if user.is_outside() { listed.map(TechnicienOut::from_outside) } else { listed };
    Ok(here.list(&page, &listed))
}

/// One technicien, as in the list.
#[utoipa::path(
    get, path = "/techniciens/{id}", tag = "techniciens",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = TechnicienOut),
        Refusals<404, codes::TechnicienIntrouvable>,
    ),
)]
async fn show(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Tagged<TechnicienOut>, ApiError> {
    let technicien = techniciens::find(&ctx.pool, id).await?;
    Ok(Tagged(if user.is_outside() { technicien.from_outside() } else { technicien }))
}

/// How much work a technicien has: what is open, what is due this week, what is late.
#[utoipa::path(
    get, path = "/techniciens/{id}/charge", tag = "techniciens",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = ChargeOut),
        Refusals<404, codes::TechnicienIntrouvable>,
    ),
)]
async fn charge(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<Json<ChargeOut>, ApiError> {
    Ok(Json(charge::charge(&ctx.pool, id, ctx.clock.now()).await?))
}

/// Changes team, availability or skills.
#[utoipa::path(
    put, path = "/techniciens/{id}", tag = "techniciens",
    params(("id" = i64, Path)),
    request_body = TechnicienUpdate,
    responses(
        (status = 200, body = TechnicienOut),
        Refusals<404, (codes::TechnicienIntrouvable, codes::CompetenceIntrouvable)>,
    ),
)]
async fn update(
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(edit): Body<TechnicienUpdate>,
) -> Result<Tagged<TechnicienOut>, ApiError> {
    let mut tx = ctx.begin().await?;
    let old = techniciens::find_for_update(&mut tx, id).await?;
    let technicien = if_match.judge(&old, techniciens::update(&mut tx, id, edit).await?)?;
    tx.commit().await?;
    Ok(Tagged(technicien))
}

/// Removes a technicien; what was assigned to them and is not over goes back to nobody.
#[utoipa::path(
    delete, path = "/techniciens/{id}", tag = "techniciens",
    params(("id" = i64, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::TechnicienIntrouvable>,
    ),
)]
async fn delete(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<StatusCode, ApiError> {
    let mut tx = ctx.begin().await?;
    interventions::remove_technicien(&mut tx, id, user.id, ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Records a skill.
#[utoipa::path(
    post, path = "/techniciens/competences", tag = "techniciens",
    request_body = CompetenceCreate,
    responses(
        (status = 200, body = Competence),
        Refusals<400, codes::CompetenceExiste>,
    ),
)]
async fn create_competence(
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<CompetenceCreate>,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let competence = techniciens::create_competence(&mut effect, &new).await?;
    effect.answer(StatusCode::OK, &competence).await
}

#[derive(Input)]
struct CompetenceList(#[input(page = &["id", "nom"])] Page);

/// The skills.
#[utoipa::path(
    get, path = "/techniciens/competences", tag = "techniciens",
    params(Query<CompetenceList>),
    responses(
        (status = 200, body = [Competence]),
    ),
)]
async fn list_competences(
    State(ctx): State<Ctx>,
    here: Here,
    Query(CompetenceList(page)): Query<CompetenceList>,
) -> Result<Response, ApiError> {
    Ok(here.list(&page, &techniciens::list_competences(&ctx.pool, &page).await?))
}
