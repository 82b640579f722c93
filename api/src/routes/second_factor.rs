//! The second factor: naming a code at sign-in, and the caller's own.
use axum::{Json, extract::State, http::StatusCode};
use erp_core::{
    Ctx, Result,
    auth::{
        self, TokenResponse,
        second_factor::{
            self, Enrolment, GivenCode, Owner, RecoveryCodes, SecondFactorState, devices,
        },
    },
    error::codes,
    input::Input,
    users::{GivenPassword, Password},
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Form, Origin},
    layers::ClientAddress,
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(verify, show, remove))
        .routes(routes!(enrol))
        .routes(routes!(confirm))
        .routes(routes!(renew_codes))
        .routes(routes!(forget_devices))
}

#[derive(Input)]
struct CodeForm {
    /// From the 401 `second_facteur_requis`.
    defi: String,
    /// Six digits of the application, or a recovery code.
    code: GivenCode,
    /// Whether this device is trusted: for thirty days the password alone signs in there.
    #[input(or = false)]
    se_souvenir: bool,
}

/// What both factors give.
#[derive(Serialize, utoipa::ToSchema)]
struct SecondFactorResponse {
    #[serde(flatten)]
    tokens: TokenResponse,
    /// With `se_souvenir`: the secret of this device, for the field `appareil` of the next sign-ins. Shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    appareil: Option<String>,
}

/// Signs in who has named a right password, by a code of the second factor. A code is good once. Five wrong ones end the challenge, and
/// lock the account for the caller's network as wrong passwords do.
#[utoipa::path(
    post, path = "/auth/second-factor", tag = "auth",
    request_body(content = CodeForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = SecondFactorResponse),
        Refusals<401, (codes::CodeIncorrect, codes::DefiInvalide)>,
        Refusals<403, (codes::CompteDesactive, codes::ClientInactif)>,
        Refusals<429, codes::TropDeRequetes>,
    ),
)]
async fn verify(
    State(ctx): State<Ctx>,
    ClientAddress(address): ClientAddress,
    Origin(origin): Origin,
    Form(form): Form<CodeForm>,
) -> Result<Json<SecondFactorResponse>, ApiError> {
    let account = second_factor::verify(&ctx, &form.defi, &form.code, address).await?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let tokens = auth::open_session(&mut tx, &ctx.keys, &account, &origin, now).await?;
    let appareil = if form.se_souvenir {
        devices::trust(&mut tx, account.id, &origin, now).await?
    } else {
        None
    };
    tx.commit().await?;
    Ok(Json(SecondFactorResponse { tokens, appareil }))
}

/// The caller's second factor, its recovery codes that are left, and the trusted devices.
#[utoipa::path(
    get, path = "/auth/second-factor", tag = "auth",
    responses((status = 200, body = SecondFactorState)),
)]
async fn show(
    user: CurrentUser,
    State(ctx): State<Ctx>,
) -> Result<Json<SecondFactorState>, ApiError> {
    let now = ctx.clock.now();
    Ok(Json(second_factor::state(&ctx.pool, &ctx.config.auth, user.id, now).await?))
}

#[derive(Input)]
struct PasswordForm {
    #[input(as = GivenPassword)]
    password: Password,
}

/// Draws the secret of a second factor, for the application on the phone. Nothing is asked for at sign-in before `confirm`, which has an
/// hour; until then it can be drawn again.
#[utoipa::path(
    post, path = "/auth/second-factor/enrol", tag = "auth",
    request_body(content = PasswordForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = Enrolment),
        Refusals<400, codes::MotDePasseActuelIncorrect>,
        Refusals<409, codes::SecondFacteurActif>,
    ),
)]
async fn enrol(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<PasswordForm>,
) -> Result<Json<Enrolment>, ApiError> {
    let owner = Owner { id: user.id, session: user.session()?, auteur: &auteur };
    let account = auth::confirm_password(&ctx, user.id, form.password, address).await?;
    let account = account.ok_or_else(auth::wrong_current_password)?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let enrolment = second_factor::enrol(&mut tx, &ctx.sealing, &account, owner, now).await?;
    tx.commit().await?;
    Ok(Json(enrolment))
}

#[derive(Input)]
struct FirstCode {
    /// Six digits of the application.
    code: GivenCode,
}

/// Turns the second factor on by its first code, and gives ten recovery codes, shown once. What `REQUIRE_2FA` kept closed is open then.
#[utoipa::path(
    post, path = "/auth/second-factor/confirm", tag = "auth",
    request_body(content = FirstCode, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = RecoveryCodes),
        Refusals<400, codes::CodeIncorrect>,
        Refusals<409, (codes::SecondFacteurAbsent, codes::SecondFacteurActif)>,
    ),
)]
async fn confirm(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Form(form): Form<FirstCode>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let owner = Owner { id: user.id, session: user.session()?, auteur: &auteur };
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let codes = second_factor::confirm(&mut tx, &ctx.sealing, &form.code, owner, now).await?;
    tx.commit().await?;
    Ok(Json(codes))
}

#[derive(Input)]
struct ProofForm {
    #[input(as = GivenPassword)]
    password: Password,
    /// Six digits of the application, or a recovery code.
    code: GivenCode,
}

/// Ten new recovery codes, shown once; those of before are worth nothing.
#[utoipa::path(
    post, path = "/auth/second-factor/codes", tag = "auth",
    request_body(content = ProofForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = RecoveryCodes),
        Refusals<400, (codes::MotDePasseActuelIncorrect, codes::CodeIncorrect)>,
        Refusals<409, codes::SecondFacteurAbsent>,
    ),
)]
async fn renew_codes(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<ProofForm>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let owner = Owner { id: user.id, session: user.session()?, auteur: &auteur };
    let account = second_factor::prove(&ctx, user.id, form.password, &form.code, address).await?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let codes = second_factor::renew_codes(&mut tx, &account, owner, now).await?;
    tx.commit().await?;
    Ok(Json(codes))
}

/// Turns the second factor off: its recovery codes and trusted devices go with it. A 409 for a role that `REQUIRE_2FA` names.
#[utoipa::path(
    delete, path = "/auth/second-factor", tag = "auth",
    request_body(content = ProofForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 204),
        Refusals<400, (codes::MotDePasseActuelIncorrect, codes::CodeIncorrect)>,
        Refusals<409, (codes::SecondFacteurAbsent, codes::SecondFacteurExige)>,
    ),
)]
async fn remove(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Form(form): Form<ProofForm>,
) -> Result<StatusCode, ApiError> {
    let owner = Owner { id: user.id, session: user.session()?, auteur: &auteur };
    let account = second_factor::prove(&ctx, user.id, form.password, &form.code, address).await?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    second_factor::remove(&mut tx, &ctx.config.auth, &account, owner, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets the caller's trusted devices: each is asked for a code again.
#[utoipa::path(
    delete, path = "/auth/second-factor/appareils", tag = "auth",
    responses((status = 204)),
)]
async fn forget_devices(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
) -> Result<StatusCode, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    devices::forget(&mut tx, user.id, &auteur, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
