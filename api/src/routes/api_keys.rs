//! The caller's API keys, for scripts.
use axum::{Json, extract::State, http::StatusCode};
use erp_core::{
    Ctx, Error, Noun, Result,
    audit::Auteur as Author,
    auth::api_keys::{self, ApiKeyCreate, ApiKeyMade, ApiKeyOut},
    error::codes,
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Json as Body, Name},
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(make_key, own_keys)).routes(routes!(revoke_key))
}

/// Makes a key for a script, and mails the caller. The key is shown once, and goes where an access token goes
/// (`Authorization: Bearer`). It does what the caller may do, and of that only what its `portees` name.
#[utoipa::path(
    post, path = "/auth/api-keys", tag = "auth",
    request_body = ApiKeyCreate,
    responses(
        (status = 201, body = ApiKeyMade),
        Refusals<409, codes::TropDeClesApi>,
    ),
)]
async fn make_key(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Body(new): Body<ApiKeyCreate>,
) -> Result<(StatusCode, Json<ApiKeyMade>), ApiError> {
    let made = create(&ctx, user.id, user.session()?, new, &auteur).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Makes a key of user `id`, whose session is `session`.
pub(crate) async fn create(
    ctx: &Ctx,
    id: i64,
    session: Uuid,
    new: ApiKeyCreate,
    auteur: &Author,
) -> Result<ApiKeyMade> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let made = api_keys::create(&mut tx, id, session, new, auteur, now).await?;
    tx.commit().await?;
    Ok(made)
}

/// The caller's keys that are good, the newest first, at most twenty.
#[utoipa::path(
    get, path = "/auth/api-keys", tag = "auth",
    responses((status = 200, body = [ApiKeyOut])),
)]
async fn own_keys(
    user: CurrentUser,
    State(ctx): State<Ctx>,
) -> Result<Json<Vec<ApiKeyOut>>, ApiError> {
    Ok(Json(api_keys::list(&ctx.pool, user.id, ctx.clock.now()).await?))
}

/// Revokes a key of the caller: it is worthless from the next request on.
#[utoipa::path(
    delete, path = "/auth/api-keys/{id}", tag = "auth",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::CleApiIntrouvable>,
    ),
)]
async fn revoke_key(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<StatusCode, ApiError> {
    revoke(&ctx, user.id, &id, &auteur).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes the key of user `user_id` that `id` names.
pub(crate) async fn revoke(ctx: &Ctx, user_id: i64, id: &str, auteur: &Author) -> Result<()> {
    let id: Uuid = id.parse().map_err(|_| Error::NotFound(Noun::API_KEY))?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    api_keys::revoke(&mut tx, user_id, id, auteur, now).await?;
    tx.commit().await
}
