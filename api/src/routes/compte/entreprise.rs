//! Signing in at the provider of the company: the way there, and back. A person sees what goes wrong on a page.
use std::net::IpAddr;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use erp_core::{
    Ctx, Error, Result,
    accounts::identites::{self, Refusal},
    audit,
    auth::SignIn,
    error::codes,
    input::Input,
    oidc::{self, NoIdentity, Oidc, Pending, Returned},
    users::{Account, UserRole},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::refusals;
use crate::{
    ApiError,
    console::{cookie, page, second_step, sign_in as console},
    extract::{Origin, Query},
    layers::{ClientAddress, RequestInfo},
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(start_at_provider)).routes(routes!(back_from_provider))
}

/// What `suite` says for the application of the frontend; anything else is a page of this server.
const FRONTEND: &str = "frontend";

/// Where to go after signing in.
#[derive(Input)]
struct Way {
    /// `frontend`, or the address of a page (`/console…`, `/compte…`).
    suite: Option<String>,
}

/// Leads a browser to the provider of the company, to come back to `GET /auth/oidc/callback`. A cookie binds the answer to this browser.
/// A 404 where no provider is configured (`OIDC_ISSUER`).
#[utoipa::path(
    get, path = "/auth/oidc/start", tag = "compte",
    params(Query<Way>),
    responses(
        (status = 302, description = "To the provider."),
        (status = 503, description = "A page: the provider does not answer.", content_type = "text/html", body = String),
        Refusals<404, codes::RouteIntrouvable>,
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn start_at_provider(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    headers: HeaderMap,
    Query(way): Query<Way>,
) -> Result<Response, ApiError> {
    let suite = match way.suite.as_deref() {
        Some(FRONTEND) => FRONTEND.to_owned(),
        way => console::inside(way),
    };
    let appareil = cookie::device(&headers).map(str::to_owned);
    match provider(&ctx)?.start(suite.clone(), appareil, &ctx.clock).await {
        Ok((address, sealed)) => {
            let mut response = (StatusCode::FOUND, [(header::LOCATION, address)]).into_response();
            let kept = cookie::set_pending(&sealed);
            response.headers_mut().extend(kept.map(|cookie| (header::SET_COOKIE, cookie)));
            Ok(response)
        }
        Err(error) => away(error, info, &back(&ctx, Some(&suite))),
    }
}

/// What the provider sends back. It may send more.
#[derive(Input)]
struct Answer {
    code: Option<String>,
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Signs in whom the provider vouches for. Who has begun in the application comes to `FRONTEND_URL/#connexion=…`: the application
/// exchanges what is there for tokens within a minute (`POST /auth/link`), and removes it from the address. Who has begun on a page of
/// this server gets its cookie, after a code of the second factor if there is one.
#[utoipa::path(
    get, path = "/auth/oidc/callback", tag = "compte",
    params(Query<Answer>),
    responses(
        (status = 200, description = "A page that leads on, or asks for the second factor.", content_type = "text/html", body = String),
        (status = 302, description = "To the application, with a secret that signs in once, within a minute."),
        (status = 401, description = "A page: the answer is not one to this browser, or not one that can be trusted.", content_type = "text/html", body = String),
        (status = 403, description = "A page: there is no account for this person, or it may not be used.", content_type = "text/html", body = String),
        (status = 503, description = "A page: the provider does not answer.", content_type = "text/html", body = String),
        Refusals<404, codes::RouteIntrouvable>,
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn back_from_provider(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    ClientAddress(address): ClientAddress,
    Origin(origin): Origin,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Result<Response, ApiError> {
    let oidc = provider(&ctx)?;
    let Some(sealed) = cookie::pending(&headers) else {
        // Whoever opens this address: nobody has tried to sign in.
        return Ok(refusals::refused("etat", info.lang, &back(&ctx, None)));
    };
    let pending = oidc.pending(sealed, ctx.clock.now());
    let way = back(&ctx, pending.as_ref().map(|pending| pending.suite.as_str()));
    let Answer { code, state, error } = answer;
    let returned = Returned { code, state, error };
    let arrived = arrive(&ctx, oidc, pending, returned, address).await;
    // An answer of the provider is good once. One to another sign-in leaves that which waits.
    let is_used = !matches!(&arrived, Err(Stopped::Refused(refusal)) if refusal.motif == "etat");
    let shown = shown(&ctx, info, &origin, address, arrived, &way).await;
    let mut response = shown.unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    // The address of this page, which holds a code, goes nowhere.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if is_used {
        let removed = cookie::pending_removed();
        headers.extend(removed.map(|cookie| (header::SET_COOKIE, cookie)));
    }
    Ok(response)
}

/// The answer to what somebody has come to.
async fn shown(
    ctx: &Ctx,
    info: RequestInfo,
    origin: &erp_core::auth::Origin,
    address: IpAddr,
    arrived: Result<Next, Stopped>,
    back: &str,
) -> Result<Response, ApiError> {
    Ok(match arrived {
        Ok(Next::Application(address)) => {
            (StatusCode::FOUND, [(header::LOCATION, address)]).into_response()
        }
        Ok(Next::Page(account, way)) => {
            let (way, cookies) = console::open(ctx, &account, origin, &way, false).await?;
            // The cookie does not come along with a redirection that another site has begun.
            (cookies, page::again(info.lang, &way)).into_response()
        }
        Ok(Next::SecondFactor(challenge, way)) => {
            second_step::form(StatusCode::OK, info.lang, &challenge, &way, None)
        }
        Err(Stopped::Refused(refusal)) => {
            refusal.record(ctx, address).await?;
            refusals::refused(refusal.motif, info.lang, back)
        }
        Err(Stopped::Failed(error)) => away(error, info, back)?,
    })
}

/// What somebody comes to who was recognised.
enum Next {
    /// The application, at this address.
    Application(String),
    /// The page at this address, in a session of this account.
    Page(Account, String),
    /// The same after a code that meets this challenge.
    SecondFactor(String, String),
}

/// Why somebody comes to nothing.
enum Stopped {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<NoIdentity> for Stopped {
    fn from(none: NoIdentity) -> Self {
        match none {
            NoIdentity::Refused(motif) => Self::Refused(Refusal::new(motif)),
            NoIdentity::Failed(error) => Self::Failed(error),
        }
    }
}

/// Finds the account of whom the provider vouches for to the browser that keeps `pending`, and what its owner comes to.
async fn arrive(
    ctx: &Ctx,
    oidc: &Oidc,
    pending: Option<Pending>,
    returned: Returned,
    address: IpAddr,
) -> Result<Next, Stopped> {
    let pending = pending.ok_or(Refusal::new("etat"))?;
    let identity = oidc.finish(&pending, returned, &ctx.clock).await?;
    let create = oidc.config().create_role.and_then(UserRole::from_text);
    let auteur = audit::Auteur { adresse: Some(address.to_string()), ..audit::Auteur::default() };

    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let mut found = identites::recognise(&mut tx, &identity, create, &auteur, now).await;
    if matches!(found, Err(Error::Conflict { .. })) {
        // Another first sign-in of theirs has made the account at the same moment: it is there now.
        drop(tx);
        tx = ctx.begin().await?;
        found = identites::recognise(&mut tx, &identity, create, &auteur, now).await;
    }
    let account = found??;
    if pending.suite == FRONTEND {
        let link = identites::sign_in_link(&mut tx, &account, now).await?;
        tx.commit().await?;
        let secret = ctx.account_links.secret(link);
        return Ok(Next::Application(format!(
            "{}/#connexion={secret}",
            ctx.config.mail.frontend_url
        )));
    }
    let appareil = pending.appareil.as_deref();
    let next = SignIn::of(&mut *tx, &ctx.keys, account, appareil, now).await?;
    tx.commit().await?;
    Ok(match next {
        SignIn::Open(account) => Next::Page(account, pending.suite),
        SignIn::SecondFactor(challenge) => Next::SecondFactor(challenge.into_text(), pending.suite),
    })
}

/// The provider, or a 404 without one.
fn provider(ctx: &Ctx) -> Result<&Oidc, ApiError> {
    ctx.oidc.as_deref().ok_or_else(|| ApiError::of_status(StatusCode::NOT_FOUND))
}

/// Where somebody can sign in who was to go to `suite`: there, the password does.
fn back(ctx: &Ctx, suite: Option<&str>) -> String {
    match suite {
        Some(FRONTEND) => ctx.config.mail.frontend_url.clone(),
        _ => "/console/connexion".to_owned(),
    }
}

/// The page for a provider that does not answer; other errors are not for it.
fn away(error: Error, info: RequestInfo, back: &str) -> Result<Response, ApiError> {
    let Error::Unavailable { what: oidc::WHAT, source } = error else { return Err(error.into()) };
    let what = oidc::WHAT;
    tracing::warn!(what, error = format!("{source:#}"), "unavailable");
    Ok(refusals::away(info.lang, back))
}
