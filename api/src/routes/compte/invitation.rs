//! The page of an invitation: who is invited chooses a password, and is signed in to the application.
use axum::{Extension, Json, extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Result,
    accounts::{
        invitations,
        links::{self, Purpose},
    },
    audit,
    auth::{self, SignIn, TokenResponse},
    error::codes,
    input::Input,
    users::{self, UserOut},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{Chosen, Link, accepted, owner, views};
use crate::{
    ApiError,
    extract::{Form, Origin, Query},
    layers::{ClientAddress, RequestInfo},
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(welcome, accept)).routes(routes!(sign_in))
}

/// Who is invited by a good link, and by whom.
async fn invited(ctx: &Ctx, link: &Link) -> Result<Option<(Uuid, UserOut, Option<String>)>> {
    let Some((id, owner)) = owner(ctx, link, Purpose::Invitation).await? else { return Ok(None) };
    let inviter = invitations::inviter(&ctx.pool, owner.id).await?;
    Ok(Some((id, owner, inviter)))
}

/// The page that the link of an invitation opens. It changes nothing: programs that check mails open links, too.
#[utoipa::path(
    get, path = "/compte/invitation", tag = "compte",
    params(Query<Link>),
    responses(
        (status = 200, content_type = "text/html", body = String),
        (status = 404, description = "A page: the link is no longer good.", content_type = "text/html", body = String),
    ),
)]
async fn welcome(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    Query(link): Query<Link>,
) -> Result<Response, ApiError> {
    Ok(match invited(&ctx, &link).await? {
        Some((_, owner, inviter)) => {
            views::invitation_page(StatusCode::OK, &owner, inviter.as_deref(), None)
        }
        None => views::invitation_over(&ctx, info.lang),
    })
}

/// Gives the owner of the link a password; the page leads on at once to `FRONTEND_URL/#connexion=…`: the application exchanges what is
/// there for tokens (`POST /auth/link`), and removes it from the address. One that does not asks to sign in.
#[utoipa::path(
    post, path = "/compte/invitation", tag = "compte",
    params(Query<Link>),
    request_body(content = Chosen, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A page that leads to the application, with a secret that signs in once, within two minutes.", content_type = "text/html", body = String),
        (status = 404, description = "A page: the link is no longer good.", content_type = "text/html", body = String),
        (status = 422, description = "The page again, with what is wrong.", content_type = "text/html", body = String),
    ),
)]
async fn accept(
    State(ctx): State<Ctx>,
    Extension(info): Extension<RequestInfo>,
    ClientAddress(address): ClientAddress,
    Query(link): Query<Link>,
    Form(form): Form<Chosen>,
) -> Result<Response, ApiError> {
    let Some((id, owner, inviter)) = invited(&ctx, &link).await? else {
        return Ok(views::invitation_over(&ctx, info.lang));
    };
    let password = match accepted(&owner, form).await? {
        Ok(password) => password,
        Err(wrong) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let inviter = inviter.as_deref();
            return Ok(views::invitation_page(status, &owner, inviter, Some(&wrong)));
        }
    };
    let hash = users::hash_password(password).await?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let adresse = Some(address.to_canonical().to_string());
    let auteur = audit::Auteur { adresse, ..audit::Auteur::default() };
    let Some(session) = invitations::accept(&mut tx, id, &hash, auteur, now).await? else {
        return Ok(views::invitation_over(&ctx, info.lang));
    };
    tx.commit().await?;
    let secret = ctx.account_links.secret(session);
    let application = format!("{}/#connexion={secret}", ctx.config.mail.frontend_url);
    Ok(views::account_open(owner.langue, &application))
}

/// What the application got from an accepted invitation, or from the provider of the company.
#[derive(Input)]
struct SignInLink {
    jeton: String,
    /// The secret of a trusted device: it stands for the second factor.
    appareil: Option<String>,
}

/// Exchanges the secret that leads to the application (`#connexion=…`) for tokens, once: within two minutes after an accepted invitation,
/// within one after a sign-in at the provider of the company. A second factor is asked for as by `POST /auth/token`.
#[utoipa::path(
    post, path = "/auth/link", tag = "auth",
    request_body(content = SignInLink, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse),
        Refusals<401, (codes::SessionTerminee, codes::SecondFacteurRequis)>,
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn sign_in(
    State(ctx): State<Ctx>,
    Origin(origin): Origin,
    Form(link): Form<SignInLink>,
) -> Result<Json<TokenResponse>, ApiError> {
    let id = ctx.account_links.read(&link.jeton).ok_or_else(auth::session_ended)?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let next = links::sign_in(&mut tx, &ctx.keys, id, link.appareil.as_deref(), now).await?;
    let account = match next.ok_or_else(auth::session_ended)? {
        SignIn::Open(account) => account,
        SignIn::SecondFactor(challenge) => {
            // The secret was good once, whether a code follows or not.
            tx.commit().await?;
            return Err(ApiError::code_wanted(challenge));
        }
    };
    let tokens = auth::open_session(&mut tx, &ctx.keys, &account, &origin, now).await?;
    tx.commit().await?;
    Ok(Json(tokens))
}
