//! Invitations: accounts whose owners choose the first password themselves.
use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
    response::Response,
};
use erp_core::{
    Ctx,
    accounts::invitations::{self, By, Invitation, InvitationCreate, InvitationResend},
    audit::{Acte, Cible, Entry},
    error::codes,
    input::Input,
    page::Page,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Json as Body, Query, RowId},
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) =
    ("invitations", "Accounts whose owners choose the first password by a mailed link.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(send_again))
        .routes(routes!(revoke))
}

/// The caller, as who invites.
struct Inviter(By);

impl<S: Send + Sync> FromRequestParts<S> for Inviter {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        Ok(Self(By { id: user.id, role: user.role }))
    }
}

/// Makes an account without a password, and mails its owner a link, good once and for 72 hours, to choose one. A responsable invites
/// techniciens and users of clients.
#[utoipa::path(
    post, path = "/users/invitations", tag = "invitations",
    request_body = InvitationCreate,
    responses(
        (status = 201, body = Invitation),
        Refusals<404, codes::ClientIntrouvable>,
        Refusals<409, (codes::EmailDejaUtilise, codes::NomUtilisateurDejaUtilise, codes::ClientInactif)>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Inviter(by): Inviter,
    Auteur(auteur): Auteur,
    Body(new): Body<InvitationCreate>,
) -> Result<Response, ApiError> {
    let (mut effect, now) = (once.begin(&ctx).await?, ctx.clock.now());
    let invitation = invitations::invite(&mut effect, &new, by, now).await?;
    let entry = Entry::new(Acte::Invitation, &auteur).on(Cible::Compte, &invitation.id);
    entry.after(json!(invitation)).record(&mut effect, now).await?;
    effect.answer(StatusCode::CREATED, &invitation).await
}

#[derive(Input)]
struct InvitationList(#[input(page = invitations::SORTABLE)] Page);

/// The invitations that were neither accepted nor revoked; a responsable sees those of techniciens and users of clients.
#[utoipa::path(
    get, path = "/users/invitations", tag = "invitations",
    params(Query<InvitationList>),
    responses((status = 200, body = [Invitation])),
)]
async fn list(
    State(ctx): State<Ctx>,
    Inviter(by): Inviter,
    here: Here,
    Query(InvitationList(page)): Query<InvitationList>,
) -> Result<Response, ApiError> {
    Ok(here.list(&page, &invitations::list(&ctx.pool, &page, by).await?))
}

/// Mails another link for 72 hours, to the right address if the first one was wrong; the one before it ends. Within two minutes of the
/// last one it is a 409, unless for another address. It also invites anew whose invitation was revoked, once the account is enabled
/// again.
#[utoipa::path(
    post, path = "/users/invitations/{id}/renvoyer", tag = "invitations",
    params(("id" = i64, Path, description = "That of the account.")),
    request_body = InvitationResend,
    responses(
        (status = 200, body = Invitation),
        Refusals<404, codes::InvitationIntrouvable>,
        Refusals<409, (codes::EmailDejaUtilise, codes::ClientInactif, codes::InvitationRecente)>,
    ),
)]
async fn send_again(
    once: Once,
    State(ctx): State<Ctx>,
    Inviter(by): Inviter,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
    Body(change): Body<InvitationResend>,
) -> Result<Response, ApiError> {
    let (mut effect, now) = (once.begin(&ctx).await?, ctx.clock.now());
    let invitation = invitations::send_again(&mut effect, id, &change, by, now).await?;
    let entry = Entry::new(Acte::InvitationRenvoyee, &auteur).on(Cible::Compte, &id);
    entry.after(json!({ "email": invitation.email })).record(&mut effect, now).await?;
    effect.answer(StatusCode::OK, &invitation).await
}

/// Revokes an invitation: its link ends, and the account is disabled.
#[utoipa::path(
    delete, path = "/users/invitations/{id}", tag = "invitations",
    params(("id" = i64, Path, description = "That of the account.")),
    responses(
        (status = 204),
        Refusals<404, codes::InvitationIntrouvable>,
    ),
)]
async fn revoke(
    State(ctx): State<Ctx>,
    Inviter(by): Inviter,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<StatusCode, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    invitations::revoke(&mut tx, id, by, now).await?;
    let entry = Entry::new(Acte::InvitationRevoquee, &auteur).on(Cible::Compte, &id);
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
