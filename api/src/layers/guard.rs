//! Passes a request on to its handler if [`crate::rbac`] and the rate limits allow it.
use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{FromRequestParts as _, MatchedPath, Request, State},
    http::{HeaderMap, Method, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use erp_core::{
    Code, Ctx, Error, Result, Text,
    auth::{
        self, Callers,
        api_keys::{self, KeyHolder},
    },
    limits::Caller,
};

use crate::{
    ApiError,
    extract::CurrentUser,
    layers::ClientAddress,
    rbac::{self, Access, ForKeys},
};

/// What decides on access.
#[derive(Clone)]
pub struct Entrance {
    pub ctx: Ctx,
    pub callers: Arc<Callers>,
}

impl Entrance {
    pub fn new(ctx: &Ctx) -> Self {
        Self { ctx: ctx.clone(), callers: Arc::default() }
    }
}

/// Authenticates the caller, refuses requests that the rate limits or the table of roles do not allow, and puts the caller
/// into the extensions for the handler.
pub async fn guard<F>(
    entrance: &Entrance,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response
where
    F: Future<Output = Response>,
{
    let ctx = &entrance.ctx;
    let (mut parts, body) = request.into_parts();
    let address = match ClientAddress::from_request_parts(&mut parts, ctx).await {
        Ok(address) => address,
        Err(error) => return error.into_response(),
    };
    let caller = caller(entrance, &parts, address).await;
    let known = caller.as_ref().ok().and_then(Option::as_ref).map(|user| user.id);
    match count(ctx, &parts, address, known).and(caller) {
        Ok(user) => {
            if let Some(user) = user {
                parts.extensions.insert(user);
            }
            next(Request::from_parts(parts, body)).await
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// Counts the request against the limit of its caller. `TooMany` beyond it.
pub fn count(
    ctx: &Ctx,
    request: &Parts,
    ClientAddress(address): ClientAddress,
    user: Option<i64>,
) -> Result<()> {
    let limits = &ctx.config.http;
    let (caller, limit) = match (path(request), user) {
        // Not counted: probes, and files, since a page may show a hundred photos, which are cached and cost no work.
        (
            ""
            | "/health"
            | "/live"
            | "/ready"
            | "/metrics"
            | "/static/uploads/{file}"
            | "/console/static/{file}",
            _,
        ) => {
            return Ok(());
        }
        (
            "/auth/login"
            | "/auth/token"
            | "/auth/forgot"
            | "/auth/link"
            | "/auth/second-factor"
            | "/auth/second-factor/confirm"
            | "/compte/second-facteur/confirmer"
            | "/compte/oubli"
            | "/console/connexion"
            | "/console/second-facteur",
            _,
        ) if request.method == Method::POST => {
            (Caller::SignIn(address), limits.login_limit_per_minute)
        }
        // Each may call the provider.
        ("/auth/oidc/start" | "/auth/oidc/callback", _) => {
            (Caller::Company(address), limits.login_limit_per_minute)
        }
        (_, Some(user)) => (Caller::User(user), limits.rate_limit_per_minute),
        _ => (Caller::Address(address), limits.rate_limit_per_minute),
    };
    ctx.limits.count(caller, limit, ctx.clock.now())
}

/// The matched route, without `/api/v1` and a final slash.
fn path(request: &Parts) -> &str {
    let path = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    rbac::at_root(path).trim_end_matches('/')
}

async fn caller(
    entrance: &Entrance,
    request: &Parts,
    ClientAddress(address): ClientAddress,
) -> Result<Option<CurrentUser>> {
    let path = request.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    // A method that the route does not have is answered 405 by the inner router: there is no handler to protect.
    let Some(access) = rbac::access(&request.method, path) else { return Ok(None) };
    let asked = Asked { headers: &request.headers, method: &request.method, path, address };
    match access {
        Access::Anyone => Ok(None),
        Access::SignedInOrLien | Access::SignedInOrSecret => optional(entrance, asked).await,
        Access::SignedInOrPublicEquipements if entrance.ctx.config.http.public_equipements => {
            optional(entrance, asked).await
        }
        Access::SignedIn | Access::SignedInOrPublicEquipements => {
            required(entrance, asked).await.map(Some)
        }
        Access::Roles(roles) => {
            let user = required(entrance, asked).await?;
            if roles.contains(&user.role) { Ok(Some(user)) } else { Err(Error::forbidden()) }
        }
    }
}

/// Lets only signed-in users through; for routes that are not in the table of roles.
pub async fn signed_in(State(entrance): State<Entrance>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let address = match ClientAddress::from_request_parts(&mut parts, &entrance.ctx).await {
        Ok(ClientAddress(address)) => address,
        Err(error) => return error.into_response(),
    };
    let asked = Asked { headers: &parts.headers, method: &parts.method, path: "", address };
    match required(&entrance, asked).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// The 401 for a request without a token.
pub fn anonymous() -> Error {
    Error::Unauthenticated {
        code: Code::NonAuthentifie,
        text: Text::new("Connectez-vous pour continuer.", "Sign in to continue."),
    }
}

/// What a request asks for, and says of its caller.
#[derive(Clone, Copy)]
struct Asked<'a> {
    headers: &'a HeaderMap,
    method: &'a Method,
    /// The matched route.
    path: &'a str,
    address: IpAddr,
}

/// The caller of a request. Who must enrol a second factor is let in nowhere else, and an API key only where its `portees` say so.
async fn required(entrance: &Entrance, asked: Asked<'_>) -> Result<CurrentUser> {
    let token = bearer(asked.headers).ok_or_else(anonymous)?;
    if api_keys::is_key(token) {
        let holder = holder(&entrance.ctx, token, asked.address).await?;
        match rbac::for_keys(asked.method, asked.path) {
            ForKeys::Never => return Err(api_keys::for_people()),
            ForKeys::With(portee) => holder.ensure(portee)?,
            ForKeys::Always => {}
        }
        ensure_enrolled(holder.caller.must_enrol, asked.path)?;
        return Ok(holder.into());
    }
    let caller = auth::caller(&entrance.ctx, &entrance.callers, token).await?;
    ensure_enrolled(caller.must_enrol, asked.path)?;
    Ok(caller.into())
}

/// Whose key `token` is. Whether it is one takes a look into the database: none for an address that has sent too many that are none.
async fn holder(ctx: &Ctx, token: &str, address: IpAddr) -> Result<KeyHolder> {
    let (limit, now) = (ctx.config.http.rate_limit_per_minute, ctx.clock.now());
    ctx.limits.check(Caller::WrongKey(address), limit, now)?;
    let holder = api_keys::holder(ctx, token).await;
    if matches!(holder, Err(Error::Unauthenticated { .. })) {
        ctx.limits.count(Caller::WrongKey(address), limit, now)?;
    }
    holder
}

fn ensure_enrolled(must_enrol: bool, path: &str) -> Result<()> {
    if must_enrol && !rbac::is_for_enrolment(path) {
        return Err(auth::second_factor::must_enrol());
    }
    Ok(())
}

/// The caller, or `None` without a bearer token. A bad token is refused even where none is needed.
async fn optional(entrance: &Entrance, asked: Asked<'_>) -> Result<Option<CurrentUser>> {
    match bearer(asked.headers) {
        Some(_) => required(entrance, asked).await.map(Some),
        None => Ok(None),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
