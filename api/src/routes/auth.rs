//! Signing in and out.
use axum::{Json, extract::State};
use erp_core::{
    Ctx, Error,
    auth::{self, TokenResponse},
    described,
    input::{Fields, Input},
    users::{self, Password, UserOut},
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{CurrentUser, Form},
    layers::ClientAddress,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(me))
        .routes(routes!(change_password))
}

/// One sentence for a person.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Message {
    pub message: &'static str,
}

struct TokenForm(LoginForm);

described!(TokenForm, LoginForm, RefreshForm, ChangePasswordForm);

impl Input for TokenForm {
    fn read(fields: &mut Fields) -> Option<Self> {
        LoginForm::read_as(fields, "email").map(Self)
    }
}

/// Signs in by e-mail address.
#[utoipa::path(
    post, path = "/auth/token", tag = "auth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse, description = "Done."),
        (status = 401, description = "identifiants_incorrects"),
        (status = 403, description = "compte_desactive"),
        (status = 429, description = "compte_verrouille, trop_de_requetes"),
    ),
)]
async fn token(
    State(ctx): State<Ctx>,
    address: ClientAddress,
    Form(TokenForm(form)): Form<TokenForm>,
) -> Result<Json<TokenResponse>, ApiError> {
    sign_in(&ctx, address, form).await
}

struct LoginForm {
    login: String,
    password: String,
}

impl LoginForm {
    fn read_as(fields: &mut Fields, name: &str) -> Option<Self> {
        let login = fields.required(name);
        let password = fields.required("password");
        Some(Self { login: login?, password: password? })
    }
}

impl Input for LoginForm {
    fn read(fields: &mut Fields) -> Option<Self> {
        Self::read_as(fields, "username")
    }
}

/// Signs in by username (an e-mail address is taken as well).
#[utoipa::path(
    post, path = "/auth/login", tag = "auth",
    request_body(content = LoginForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse, description = "Done."),
        (status = 401, description = "identifiants_incorrects"),
        (status = 403, description = "compte_desactive"),
        (status = 429, description = "compte_verrouille, trop_de_requetes"),
    ),
)]
async fn login(
    State(ctx): State<Ctx>,
    address: ClientAddress,
    Form(form): Form<LoginForm>,
) -> Result<Json<TokenResponse>, ApiError> {
    sign_in(&ctx, address, form).await
}

async fn sign_in(
    ctx: &Ctx,
    ClientAddress(address): ClientAddress,
    form: LoginForm,
) -> Result<Json<TokenResponse>, ApiError> {
    let password = Password::given(form.password);
    let account =
        auth::authenticate(ctx, form.login.trim(), password, &address.to_string()).await?;

    let mut tx = ctx.begin().await?;
    let tokens = auth::open_session(&mut tx, &ctx.keys, &account, ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(tokens))
}

struct RefreshForm {
    refresh_token: String,
}

impl Input for RefreshForm {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { refresh_token: fields.required("refresh_token")? })
    }
}

/// Exchanges a refresh token for new tokens: once. A second use signs out everywhere that came from the same login.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "auth",
    request_body(content = RefreshForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = TokenResponse, description = "Done."),
        (status = 401, description = "session_terminee"),
    ),
)]
async fn refresh(
    State(ctx): State<Ctx>,
    Form(form): Form<RefreshForm>,
) -> Result<Json<TokenResponse>, ApiError> {
    let mut tx = ctx.begin().await?;
    let tokens = auth::refresh(&mut tx, &ctx.keys, &form.refresh_token, ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(tokens.ok_or_else(auth::refresh_refused)?))
}

/// Revokes the caller's refresh tokens.
#[utoipa::path(
    post, path = "/auth/logout", tag = "auth",
    responses(
        (status = 200, body = Message, description = "Done."),
    ),
)]
async fn logout(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Json<Message>, ApiError> {
    let mut tx = ctx.begin().await?;
    auth::revoke_all(&mut tx, user.id, ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(Message { message: "Vous êtes déconnecté." }))
}

/// The caller.
#[utoipa::path(
    get, path = "/auth/me", tag = "auth",
    responses(
        (status = 200, body = UserOut, description = "Done."),
    ),
)]
async fn me(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Json<UserOut>, ApiError> {
    Ok(Json(users::find(&ctx.pool, user.id).await?))
}

struct ChangePasswordForm {
    current_password: String,
    new_password: Password,
}

impl Input for ChangePasswordForm {
    fn read(fields: &mut Fields) -> Option<Self> {
        let current_password = fields.required("current_password");
        let new_password = fields.required("new_password");
        Some(Self { current_password: current_password?, new_password: new_password? })
    }
}

/// Changes the caller's password; every token issued before is worthless then.
#[utoipa::path(
    post, path = "/auth/change-password", tag = "auth",
    request_body(content = ChangePasswordForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = Message, description = "Done."),
        (status = 400, description = "mot_de_passe_actuel_incorrect"),
    ),
)]
async fn change_password(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Form(form): Form<ChangePasswordForm>,
) -> Result<Json<Message>, ApiError> {
    let owner = users::find(&ctx.pool, user.id).await?;
    users::check_new_password(&form.new_password, &owner, "new_password")?;
    let stored = users::find_account(&ctx.pool, user.id).await?.map(|a| a.password_hash);
    if !users::verify_password(Password::given(form.current_password), stored).await? {
        return Err(wrong_current_password().into());
    }
    let hash = users::hash_password(form.new_password).await?;

    let mut tx = ctx.begin().await?;
    users::update(&mut tx, user.id, None, None, Some(&hash), ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(Json(Message { message: "Mot de passe modifié : reconnectez-vous." }))
}

fn wrong_current_password() -> Error {
    Error::refused(
        "mot_de_passe_actuel_incorrect",
        "Le mot de passe actuel est incorrect.",
        "The current password is wrong.",
    )
}
