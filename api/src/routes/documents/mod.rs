//! The documents of interventions: `upload` receives files, `download` serves them, `lots` groups files that belong together.
mod download;
mod lots;
pub(crate) mod upload;

use axum::{Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx,
    audit::{Acte, Cible, Entry},
    documents::{self, Document, DocumentOut, DocumentUpdate},
    error::codes,
    input::Input,
    interventions,
    page::Page,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

pub(super) use self::download::percent_encoded;
use super::Detail;
use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Json as Body, Query, RowId},
    if_match::{IfMatch, Tagged},
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = (
    "documents",
    "Photographs and files of interventions. They are `pending`, then `processing`, then `ready` or `failed`.",
);

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .merge(download::router())
        .merge(lots::router())
        .merge(upload::router())
        .routes(routes!(list))
        .routes(routes!(list_of_intervention, update, delete))
        .routes(routes!(reprocess))
}

#[derive(Input)]
struct DocumentList(#[input(page = documents::SORTABLE)] Page);

/// All documents: those of the interventions that staff may see.
#[utoipa::path(
    get, path = "/documents", tag = "documents",
    params(Query<DocumentList>),
    responses(
        (status = 200, body = [DocumentOut]),
    ),
)]
async fn list(
    State(ctx): State<Ctx>,
    here: Here,
    Query(DocumentList(page)): Query<DocumentList>,
) -> Result<Response, ApiError> {
    let (listed, now) = (documents::list(&ctx.pool, &page).await?, ctx.clock.now());
    Ok(here.list(
        &page,
        &listed.map(|document: Document| document.shown(&ctx.signed_urls, false, now)),
    ))
}

/// The documents of the intervention `id`; a user of a client sees those of its own.
#[utoipa::path(
    get, path = "/documents/{id}", tag = "documents",
    params(("id" = i64, Path), Query<DocumentList>),
    responses(
        (status = 200, body = [DocumentOut]),
        Refusals<404, codes::InterventionIntrouvable>,
    ),
)]
async fn list_of_intervention(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
    here: Here,
    Query(DocumentList(page)): Query<DocumentList>,
) -> Result<Response, ApiError> {
    interventions::find(&ctx.pool, id, user.scope()).await?;
    let listed = documents::list_of_intervention(&ctx.pool, id, &page).await?;
    let (now, outside) = (ctx.clock.now(), user.is_outside());
    let shown = |document: Document| document.shown(&ctx.signed_urls, outside, now);
    Ok(here.list(&page, &listed.map(shown)))
}

/// Changes what is said of the document `id`; a technicien, of those that they uploaded themselves.
#[utoipa::path(
    put, path = "/documents/{id}", tag = "documents",
    params(("id" = i64, Path)),
    request_body = DocumentUpdate,
    responses(
        (status = 200, body = DocumentOut),
        Refusals<403, (codes::ActionInterdite, codes::CompteDesactive, codes::DocumentDUnAutre)>,
        Refusals<404, codes::DocumentIntrouvable>,
    ),
)]
async fn update(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    RowId(id): RowId,
    Body(edit): Body<DocumentUpdate>,
) -> Result<Tagged<DocumentOut>, ApiError> {
    let now = ctx.clock.now();
    let shown = |document: Document| document.shown(&ctx.signed_urls, user.is_outside(), now);
    let mut tx = ctx.begin().await?;
    let old = documents::find_for_update(&mut tx, id).await?;
    let new = documents::update(&mut tx, old.clone(), edit, user.reach()).await?;
    let document = if_match.judge(&shown(old), shown(new))?;
    tx.commit().await?;
    Ok(Tagged(document))
}

/// Removes the document `id`, and with it its files.
#[utoipa::path(
    delete, path = "/documents/{id}", tag = "documents",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = Detail),
        Refusals<404, codes::DocumentIntrouvable>,
    ),
)]
async fn delete(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<Json<Detail>, ApiError> {
    let mut tx = ctx.begin().await?;
    let document = documents::delete(&mut tx, id).await?;
    Entry::new(Acte::DocumentSupprime, &auteur)
        .on(Cible::Document, &id)
        .before(json!({
            "filename": document.filename, "sha256": document.sha256, "intervention_id": document.intervention_id,
        }))
        .record(&mut tx, ctx.clock.now())
        .await?;
    tx.commit().await?;
    Ok(Json(Detail { detail: "Document supprimé." }))
}

/// Has the document `id` checked and prepared again.
#[utoipa::path(
    post, path = "/documents/{id}/reprocess", tag = "documents",
    params(("id" = i64, Path)),
    responses(
        (status = 202, body = DocumentOut),
        Refusals<404, codes::DocumentIntrouvable>,
    ),
)]
async fn reprocess(
    once: Once,
    State(ctx): State<Ctx>,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    let document = documents::reprocess(&mut effect, id).await?;
    effect
        .answer(StatusCode::ACCEPTED, &document.shown(&ctx.signed_urls, false, ctx.clock.now()))
        .await
}
