//! What the system knows about the caller, as a file.
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use erp_core::{
    Ctx, Result,
    audit::{Acte, Auteur as Author, Cible, Entry},
    error::codes,
    personal_data::{self, ExportOut},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    ApiError,
    extract::{Auteur, CurrentUser},
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(ask_export, export)).routes(routes!(export_file))
}

/// Asks for a ZIP of what the system knows about the caller. A worker makes it, and a mail says when it is ready; it is kept for
/// seven days. A request while one is being made, or within an hour of the last, is answered with that one.
#[utoipa::path(
    post, path = "/users/me/export", tag = "users",
    responses((status = 202, body = ExportOut)),
)]
async fn ask_export(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
) -> Result<(StatusCode, Json<ExportOut>), ApiError> {
    Ok((StatusCode::ACCEPTED, Json(ask(&ctx, user.id, user.session()?, &auteur).await?)))
}

/// Asks for the file of user `id`, whose session is `session`, and records it.
pub(crate) async fn ask(ctx: &Ctx, id: i64, session: Uuid, auteur: &Author) -> Result<ExportOut> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let (export, is_new) = personal_data::ask(&mut tx, id, session, now).await?;
    if is_new {
        let entry = Entry::new(Acte::DonneesDemandees, auteur).on(Cible::Compte, &id);
        entry.record(&mut tx, now).await?;
    }
    tx.commit().await?;
    Ok(export)
}

/// The caller's file: whether it is ready, and until when.
#[utoipa::path(
    get, path = "/users/me/export", tag = "users",
    responses(
        (status = 200, body = ExportOut),
        Refusals<404, codes::ExportIntrouvable>,
    ),
)]
async fn export(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Json<ExportOut>, ApiError> {
    Ok(Json(personal_data::state(&ctx.pool, user.id, ctx.clock.now()).await?))
}

/// The ZIP, once it is ready.
#[utoipa::path(
    get, path = "/users/me/export/fichier", tag = "users",
    responses(
        (status = 200, description = "The file.", content_type = "application/zip", body = Vec<u8>),
        Refusals<404, codes::ExportIntrouvable>,
    ),
)]
async fn export_file(
    method: Method,
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
) -> Result<Response, ApiError> {
    user.session()?;
    Ok(file(&ctx, user.id, &method, &auteur).await?)
}

/// The answer with the file of user `id`; recorded, since it holds all that is known about them (a HEAD fetches nothing).
pub(crate) async fn file(ctx: &Ctx, id: i64, method: &Method, auteur: &Author) -> Result<Response> {
    let now = ctx.clock.now();
    let fichier = personal_data::ready_file(&ctx.pool, id, now).await?;
    let found = ctx.storage.open(&personal_data::key(fichier), None).await?;
    if method == Method::GET {
        let mut tx = ctx.begin().await?;
        let entry = Entry::new(Acte::DonneesTelechargees, auteur).on(Cible::Compte, &id);
        entry.record(&mut tx, now).await?;
        tx.commit().await?;
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static(r#"attachment; filename="mes-donnees.zip""#),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_LENGTH, HeaderValue::from(found.size)),
    ];
    Ok((headers, Body::from_stream(found.stream)).into_response())
}
