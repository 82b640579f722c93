//! Outgoing mails: those that wait, those that were sent, and those in doubt.
use axum::{extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Result, Tx,
    audit::{self, Acte, Cible, Entry},
    error::codes,
    notifications::outgoing_mails::{self, EnvoiFilter, EnvoiOut},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, Query, RowId},
    list::Here,
    once::Once,
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(resend))
}

/// The mails, newest first. What becomes of a mail whose end is in doubt: `docs/jobs.md`.
#[utoipa::path(
    get, path = "/admin/emails", tag = "admin", operation_id = "emails_list",
    params(Query<EnvoiFilter>),
    responses(
        (status = 200, body = [EnvoiOut]),
    ),
)]
async fn list(
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<EnvoiFilter>,
) -> Result<Response, ApiError> {
    Ok(here.list(&filter.page, &outgoing_mails::list(&ctx.pool, &filter).await?))
}

/// Sends a mail again that is `incertaine` or `echouee`: the same bytes under the same Message-ID, if it was transmitted
/// before.
#[utoipa::path(
    post, path = "/admin/emails/{id}/renvoyer", tag = "admin", operation_id = "emails_resend",
    params(("id" = i64, Path)),
    responses(
        (status = 202, description = "It waits to be sent."),
        Refusals<404, codes::EnvoiIntrouvable>,
        Refusals<409, codes::EnvoiNonRenvoyable>,
    ),
)]
async fn resend(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<Response, ApiError> {
    let mut effect = once.begin(&ctx).await?;
    resent(&ctx, &mut effect, &auteur, id).await?;
    effect.answer_empty(StatusCode::ACCEPTED).await
}

/// Has mail `id` sent again, and records it.
pub(crate) async fn resent(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    auteur: &audit::Auteur,
    id: i64,
) -> Result<()> {
    outgoing_mails::resend(tx, id).await?;
    let entry = Entry::new(Acte::EmailRenvoye, auteur).on(Cible::Email, &id);
    entry.record(tx, ctx.clock.now()).await
}
