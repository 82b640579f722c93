//! Lets a request through to its handler when [`crate::rbac`] allows it.
use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use erp_core::{Ctx, Error, Result, Text, auth};

use crate::{
    ApiError,
    extract::CurrentUser,
    rbac::{self, Access},
};

/// Finds out who calls, refuses what the table of roles does not allow, and hands the caller on to the handler.
pub async fn guard(State(ctx): State<Ctx>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller(&ctx, &parts).await {
        Ok(user) => {
            if let Some(user) = user {
                parts.extensions.insert(user);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn caller(ctx: &Ctx, request: &Parts) -> Result<Option<CurrentUser>> {
    let path = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // A method that the path does not have is answered 405 further in; it has no handler to protect.
    let Some(access) = rbac::access(&request.method, path) else { return Ok(None) };
    match access {
        Access::Anyone => Ok(None),
        Access::Public => optional(ctx, &request.headers).await,
        Access::SignedInOrPublicEquipements if ctx.config.http.public_equipements => {
            optional(ctx, &request.headers).await
        }
        Access::SignedIn | Access::SignedInOrPublicEquipements => {
            required(ctx, &request.headers).await.map(Some)
        }
        Access::Roles(roles) => {
            let user = required(ctx, &request.headers).await?;
            if roles.contains(&user.role) { Ok(Some(user)) } else { Err(Error::forbidden()) }
        }
    }
}

async fn required(ctx: &Ctx, headers: &HeaderMap) -> Result<CurrentUser> {
    let token = bearer(headers).ok_or_else(|| Error::Unauthenticated {
        code: "non_authentifie",
        text: Text::new("Connectez-vous pour continuer.", "Sign in to continue."),
    })?;
    Ok(auth::account_of(ctx, token).await?.into())
}

/// A caller without a token is nobody; one with a bad token is refused all the same.
async fn optional(ctx: &Ctx, headers: &HeaderMap) -> Result<Option<CurrentUser>> {
    match bearer(headers) {
        Some(_) => required(ctx, headers).await.map(Some),
        None => Ok(None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
