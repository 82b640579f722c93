//! Signing in and out.
use std::net::IpAddr;

use axum::{Json, extract::State, http::StatusCode};
use erp_core::{
    Ctx, Error, Noun, Result, accounts,
    audit::{self, Acte, Cible, Entry},
    auth::{self, Motif, SessionOut, SignIn, TokenResponse},
    error::codes,
    input::Input,
    users::{self, GivenPassword, Password, UserOut},
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{api_keys, second_factor};
use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Form, Name, Origin},
    if_match::Tagged,
    layers::ClientAddress,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("auth", "Signing in, staying signed in, signing out.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(sessions, end_others))
        .routes(routes!(end_one))
        .routes(routes!(me))
        .routes(routes!(change_password))
        .merge(second_factor::router())
        .merge(api_keys::router())
}

/// One sentence for a person.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Message {
    pub message: &'static str,
}

#[derive(Input)]
struct TokenForm {
    email: String,
    #[input(as = GivenPassword)]
    password: Password,
    /// The secret of a trusted device: it stands for the second factor.
    appareil: Option<String>,
}

/// Signs in by e-mail address. Of who has a second factor a code is asked for: a 401 with a `defi`, which goes with the code to
/// `POST /auth/second-factor`.
#[utoipa::path(
    post, path = "/auth/token", tag = "auth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse),
        Refusals<401, (codes::IdentifiantsIncorrects, codes::SecondFacteurRequis)>,
        Refusals<403, (codes::CompteDesactive, codes::ClientInactif)>,
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn token(
    State(ctx): State<Ctx>,
    address: ClientAddress,
    origin: Origin,
    Form(form): Form<TokenForm>,
) -> Result<Json<TokenResponse>, ApiError> {
    let claim = Claim { login: &form.email, password: form.password, appareil: form.appareil };
    sign_in(&ctx, address, &origin, claim).await
}

#[derive(Input)]
struct LoginForm {
    username: String,
    #[input(as = GivenPassword)]
    password: Password,
    /// The secret of a trusted device: it stands for the second factor.
    appareil: Option<String>,
}

/// Signs in by username (an e-mail address is taken as well). A second factor is asked for as by `POST /auth/token`.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth",
    request_body(content = LoginForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse),
        Refusals<401, (codes::IdentifiantsIncorrects, codes::SecondFacteurRequis)>,
        Refusals<403, (codes::CompteDesactive, codes::ClientInactif)>,
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn login(
    State(ctx): State<Ctx>,
    address: ClientAddress,
    origin: Origin,
    Form(form): Form<LoginForm>,
) -> Result<Json<TokenResponse>, ApiError> {
    let claim = Claim { login: &form.username, password: form.password, appareil: form.appareil };
    sign_in(&ctx, address, &origin, claim).await
}

/// What somebody signs in with.
struct Claim<'a> {
    login: &'a str,
    password: Password,
    appareil: Option<String>,
}

async fn sign_in(
    ctx: &Ctx,
    ClientAddress(address): ClientAddress,
    Origin(origin): &Origin,
    Claim { login, password, appareil }: Claim<'_>,
) -> Result<Json<TokenResponse>, ApiError> {
    let next = auth::sign_in(ctx, login.trim(), password, appareil.as_deref(), address).await?;
    let account = match next {
        SignIn::Open(account) => account,
        SignIn::SecondFactor(challenge) => return Err(ApiError::code_wanted(challenge)),
    };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let tokens = auth::open_session(&mut tx, &ctx.keys, &account, origin, now).await?;
    tx.commit().await?;
    Ok(Json(tokens))
}

#[derive(Input)]
struct RefreshForm {
    refresh_token: String,
}

/// Exchanges a refresh token for new tokens. Sent again within ten seconds (a lost answer, two tabs) it gives the same refresh
/// token; later it ends the session, since somebody else has a copy.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth",
    request_body(content = RefreshForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse),
        Refusals<401, codes::SessionTerminee>,
        Refusals<403, codes::ClientInactif>,
    ),
)]
async fn refresh(
    State(ctx): State<Ctx>,
    Origin(origin): Origin,
    Form(form): Form<RefreshForm>,
) -> Result<Json<TokenResponse>, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let tokens = auth::refresh(&mut tx, &ctx.keys, &form.refresh_token, &origin, now).await?;
    tx.commit().await?;
    Ok(Json(tokens.ok_or_else(auth::session_ended)?))
}

/// Ends the session that asks: its tokens, access tokens included, are worthless from the next request on.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth",
    responses(
        (status = 200, body = Message),
    ),
)]
async fn logout(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
) -> Result<Json<Message>, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let session = user.session()?;
    auth::end_session(&mut tx, user.id, session, Motif::Deconnexion, now).await?;
    let entry = Entry::new(Acte::Deconnexion, &auteur).on(Cible::Session, &session);
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(Json(Message { message: "Vous êtes déconnecté." }))
}

/// The caller's sessions that have not ended, those used last first, at most a hundred.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "auth",
    responses(
        (status = 200, body = [SessionOut]),
    ),
)]
async fn sessions(
    user: CurrentUser,
    State(ctx): State<Ctx>,
) -> Result<Json<Vec<SessionOut>>, ApiError> {
    let now = ctx.clock.now();
    Ok(Json(auth::sessions(&ctx.pool, user.id, Some(user.session()?), now).await?))
}

/// Ends all sessions of the caller but the one that asks: signs out everywhere else.
#[utoipa::path(
    delete, path = "/auth/sessions", tag = "auth",
    responses(
        (status = 204),
    ),
)]
async fn end_others(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
) -> Result<StatusCode, ApiError> {
    end_other_sessions(&ctx, user.id, user.session()?, &auteur).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all sessions of user `id` but `keep`, and records it.
pub(crate) async fn end_other_sessions(
    ctx: &Ctx,
    id: i64,
    keep: Uuid,
    auteur: &audit::Auteur,
) -> Result<()> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    auth::end_sessions(&mut tx, id, Some(keep), Motif::DeconnexionPartout, now).await?;
    let entry = Entry::new(Acte::SessionsTerminees, auteur).on(Cible::Compte, &id);
    entry.record(&mut tx, now).await?;
    tx.commit().await
}

/// Ends one session of the caller.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "auth",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::SessionIntrouvable>,
    ),
)]
async fn end_one(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(id): Name,
) -> Result<StatusCode, ApiError> {
    let id: Uuid = id.parse().map_err(|_| Error::NotFound(Noun::SESSION))?;
    end_own_session(&ctx, user.id, id, &auteur).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends session `session` of user `id`, and records it; a 404 if it is none of theirs that goes on.
pub(crate) async fn end_own_session(
    ctx: &Ctx,
    id: i64,
    session: Uuid,
    auteur: &audit::Auteur,
) -> Result<()> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    if !auth::end_session(&mut tx, id, session, Motif::Deconnexion, now).await? {
        return Err(Error::NotFound(Noun::SESSION));
    }
    let entry = Entry::new(Acte::Deconnexion, auteur).on(Cible::Session, &session);
    entry.record(&mut tx, now).await?;
    tx.commit().await
}

/// The caller.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth",
    responses(
        (status = 200, body = UserOut),
    ),
)]
async fn me(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Tagged<UserOut>, ApiError> {
    Ok(Tagged(users::find(&ctx.pool, user.id).await?))
}

#[derive(Input)]
struct ChangePasswordForm {
    #[input(as = GivenPassword)]
    current_password: Password,
    new_password: Password,
}

/// Changes the caller's password; every token issued before is worthless then, and the addresses of the caller's calendars.
#[utoipa::path(
    post, path = "/auth/change-password", tag = "auth",
    request_body(content = ChangePasswordForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = Message),
        Refusals<400, codes::MotDePasseActuelIncorrect>,
    ),
)]
async fn change_password(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<ChangePasswordForm>,
) -> Result<Json<Message>, ApiError> {
    let passwords = (form.current_password, form.new_password);
    change_own_password(&ctx, user.id, user.session()?, passwords, address, &auteur).await?;
    Ok(Json(Message { message: "Mot de passe modifié : reconnectez-vous." }))
}

/// Changes the password of user `id` from the current one to a new one, ends all sessions, and records it.
pub(crate) async fn change_own_password(
    ctx: &Ctx,
    id: i64,
    session: Uuid,
    (current, new): (Password, Password),
    address: IpAddr,
    auteur: &audit::Auteur,
) -> Result<()> {
    let owner = users::find(&ctx.pool, id).await?;
    users::check_new_password(&new, &owner, "new_password").await?;
    let account = auth::confirm_password(ctx, id, current, address).await?;
    let account = account.ok_or_else(auth::wrong_current_password)?;
    let hash = users::hash_password(new).await?;

    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    accounts::change_password(&mut tx, &account, session, &hash, address, now).await?;
    let entry = Entry::new(Acte::MotDePasseChange, auteur).on(Cible::Compte, &id);
    entry.record(&mut tx, now).await?;
    tx.commit().await
}
