//! Interventions: their states, assignments, reports and history.
use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    charge::{self, Suggestion, SuggestionFilter},
    error::codes,
    input::Input,
    interventions::{
        self, Affectation, CompteRendu, Intervention, InterventionCreate, InterventionFilter,
        InterventionOut, InterventionUpdate, StatutChange,
        historique::{self, HistoriqueOut},
    },
    page::Page,
    scope::Scope,
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
pub(super) const TAG: (&str, &str) =
    ("interventions", "Work on machines, from `ouverte` to `archivee`, and its history.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(show, update))
        .routes(routes!(change_statut))
        .routes(routes!(assign))
        .routes(routes!(list_historique))
        .routes(routes!(report))
        .routes(routes!(suggest))
        .routes(routes!(filter))
}

/// Opens an intervention; a technicien named in it is told by e-mail.
#[utoipa::path(
    post, path = "/interventions", tag = "interventions",
    request_body = InterventionCreate,
    responses(
        (status = 200, body = InterventionOut),
        Refusals<404, (codes::EquipementIntrouvable, codes::TechnicienIntrouvable)>,
        Refusals<409, codes::TransitionInterdite>,
    ),
)]
async fn create(
    user: CurrentUser,
    once: Once,
    State(ctx): State<Ctx>,
    Body(new): Body<InterventionCreate>,
) -> Result<Response, ApiError> {
    let (now, by) = (ctx.clock.now(), user.actor(&ctx).await?);
    let mut effect = once.begin(&ctx).await?;
    let intervention = interventions::create(&mut effect, &new, by, now).await?;
    effect.answer(StatusCode::OK, &intervention.seen_at(now, &ctx.config.sla)).await
}

/// The interventions; a user of a client sees those on that client's equipment.
#[utoipa::path(
    get, path = "/interventions", tag = "interventions",
    params(Query<InterventionFilter>),
    responses(
        (status = 200, body = [InterventionOut]),
    ),
)]
async fn list(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<InterventionFilter>,
) -> Result<Response, ApiError> {
    let now = ctx.clock.now();
    let listed = interventions::list(&ctx.pool, &filter, user.scope(), now).await?;
    Ok(here.list(&filter.page, &listed.map(|row: Intervention| row.seen_at(now, &ctx.config.sla))))
}

/// The same list, at the address that the frontend's filters use.
#[utoipa::path(
    get, path = "/filters/interventions", tag = "interventions",
    params(Query<InterventionFilter>),
    responses(
        (status = 200, body = [InterventionOut]),
    ),
)]
async fn filter(
    user: CurrentUser,
    ctx: State<Ctx>,
    here: Here,
    query: Query<InterventionFilter>,
) -> Result<Response, ApiError> {
    list(user, ctx, here, query).await
}

/// One intervention.
#[utoipa::path(
    get, path = "/interventions/{id}", tag = "interventions",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = InterventionOut),
        Refusals<404, codes::InterventionIntrouvable>,
    ),
)]
async fn show(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Tagged<InterventionOut>, ApiError> {
    let intervention = interventions::find(&ctx.pool, id, user.scope()).await?;
    Ok(Tagged(intervention.seen_at(ctx.clock.now(), &ctx.config.sla)))
}

/// Edits an intervention that is not over.
#[utoipa::path(
    put, path = "/interventions/{id}", tag = "interventions",
    params(("id" = i64, Path)),
    request_body = InterventionUpdate,
    responses(
        (status = 200, body = InterventionOut),
        Refusals<404, (codes::InterventionIntrouvable, codes::EquipementIntrouvable, codes::TechnicienIntrouvable)>,
        Refusals<409, (codes::InterventionTerminee, codes::TransitionInterdite, codes::DejaAffectee, codes::DejaSansTechnicien)>,
    ),
)]
async fn update(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(edit): Body<InterventionUpdate>,
) -> Result<Tagged<InterventionOut>, ApiError> {
    let (now, by) = (ctx.clock.now(), user.actor(&ctx).await?);
    let mut tx = ctx.begin().await?;
    let old = interventions::find_for_update(&mut tx, id).await?;
    let intervention = interventions::update(&mut tx, id, edit, by, now).await?;
    let intervention = if_match.judge(&old, intervention)?;
    tx.commit().await?;
    Ok(Tagged(intervention.seen_at(now, &ctx.config.sla)))
}

/// Moves an intervention one step on. A technicien moves what is theirs or free; a free one taken up becomes theirs.
#[utoipa::path(
    patch, path = "/interventions/{id}/statut", tag = "interventions",
    params(("id" = i64, Path), Query<StatutChange>),
    responses(
        (status = 200, body = InterventionOut),
        Refusals<400, codes::InterventionTerminee>,
        Refusals<403, (codes::ActionInterdite, codes::CompteDesactive, codes::InterventionDUnAutre, codes::TechnicienSansFiche)>,
        Refusals<404, codes::InterventionIntrouvable>,
        Refusals<409, codes::TransitionInterdite>,
    ),
)]
async fn change_statut(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Query(change): Query<StatutChange>,
) -> Result<Tagged<InterventionOut>, ApiError> {
    let (now, by) = (ctx.clock.now(), user.actor(&ctx).await?);
    let remarque = change.remarque.as_deref();
    let mut tx = ctx.begin().await?;
    let old = interventions::find_for_update(&mut tx, id).await?;
    let intervention =
        interventions::change_statut(&mut tx, id, change.statut, remarque, by, now).await?;
    let intervention = if_match.judge(&old, intervention)?;
    tx.commit().await?;
    Ok(Tagged(intervention.seen_at(now, &ctx.config.sla)))
}

/// Gives an intervention to a technicien, who is told by e-mail, or (null) to nobody.
#[utoipa::path(
    patch, path = "/interventions/{id}/affectation", tag = "interventions",
    params(("id" = i64, Path)),
    request_body = Affectation,
    responses(
        (status = 200, body = InterventionOut),
        Refusals<404, (codes::InterventionIntrouvable, codes::TechnicienIntrouvable)>,
        Refusals<409, (codes::InterventionTerminee, codes::DejaAffectee, codes::DejaSansTechnicien, codes::TransitionInterdite)>,
    ),
)]
async fn assign(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(affectation): Body<Affectation>,
) -> Result<Tagged<InterventionOut>, ApiError> {
    let (now, by) = (ctx.clock.now(), user.actor(&ctx).await?);
    let mut tx = ctx.begin().await?;
    let old = interventions::find_for_update(&mut tx, id).await?;
    let intervention =
        interventions::assign(&mut tx, id, affectation.technicien_id, by, now).await?;
    let intervention = if_match.judge(&old, intervention)?;
    tx.commit().await?;
    Ok(Tagged(intervention.seen_at(now, &ctx.config.sla)))
}

#[derive(Input)]
struct HistoriqueList(#[input(page = &["id", "statut", "horodatage"])] Page);

/// Who did what and when, newest first. Users of a client see of people the name and the function.
#[utoipa::path(
    get, path = "/interventions/{id}/historique", tag = "interventions",
    params(("id" = i64, Path), Query<HistoriqueList>),
    responses(
        (status = 200, body = [HistoriqueOut]),
        Refusals<404, codes::InterventionIntrouvable>,
    ),
)]
async fn list_historique(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
    here: Here,
    Query(HistoriqueList(page)): Query<HistoriqueList>,
) -> Result<Response, ApiError> {
    interventions::find(&ctx.pool, id, user.scope()).await?;
    let listed = historique::list(&ctx.pool, id, &page).await?;
    let listed = if user.is_outside() { listed.map(HistoriqueOut::from_outside) } else { listed };
    Ok(here.list(&page, &listed))
}

/// Notes the report of an intervention on which work has begun, until it is archived; `statut: cloturee` closes it in the same
/// step. Fields that are absent stay as they were. A technicien reports on what is assigned to them.
#[utoipa::path(
    put, path = "/interventions/{id}/compte-rendu", tag = "interventions",
    params(("id" = i64, Path)),
    request_body = CompteRendu,
    responses(
        (status = 200, body = InterventionOut),
        Refusals<403, (codes::ActionInterdite, codes::CompteDesactive, codes::InterventionDUnAutre, codes::InterventionSansTechnicien, codes::TechnicienSansFiche)>,
        Refusals<404, codes::InterventionIntrouvable>,
        Refusals<409, (codes::InterventionNonCommencee, codes::InterventionTerminee, codes::TransitionInterdite)>,
    ),
)]
async fn report(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(said): Body<CompteRendu>,
) -> Result<Tagged<InterventionOut>, ApiError> {
    let (now, by) = (ctx.clock.now(), user.actor(&ctx).await?);
    let mut tx = ctx.begin().await?;
    let old = interventions::find_for_update(&mut tx, id).await?;
    let intervention = interventions::report(&mut tx, id, said, by, now).await?;
    let intervention = if_match.judge(&old, intervention)?;
    tx.commit().await?;
    Ok(Tagged(intervention.seen_at(now, &ctx.config.sla)))
}

/// The techniciens to whom an intervention may be given, the best first: by availability, by how much they have to do, and by
/// the skills that the work takes (`competences_ids`, or those that its texts name).
#[utoipa::path(
    get, path = "/interventions/{id}/suggestions", tag = "interventions",
    params(("id" = i64, Path), Query<SuggestionFilter>),
    responses(
        (status = 200, body = [Suggestion]),
        Refusals<404, codes::InterventionIntrouvable>,
    ),
)]
async fn suggest(
    State(ctx): State<Ctx>,
    RowId(id): RowId,
    Query(filter): Query<SuggestionFilter>,
) -> Result<Json<Vec<Suggestion>>, ApiError> {
    interventions::find(&ctx.pool, id, Scope::All).await?;
    Ok(Json(charge::suggestions(&ctx.pool, id, &filter).await?))
}
