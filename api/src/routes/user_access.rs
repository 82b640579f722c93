//! The end of the access that an account gives, and its return: for admins.
use axum::{Json, extract::State, http::StatusCode};
use erp_core::{
    Ctx,
    accounts::{self, identites},
    audit::{Acte, Cible, Entry},
    auth::{Motif, second_factor},
    enumeration, enumeration_field,
    error::codes,
    input::Input,
    users::UserOut,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Query, RowId},
    openapi::Refusals,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(disable))
        .routes(routes!(activate))
        .routes(routes!(end_sessions))
        .routes(routes!(reset_second_factor))
        .routes(routes!(unlink_identity))
}

/// What becomes of an account that is deleted.
#[derive(Input)]
struct DisableQuery {
    #[input(or = DisableMode::Desactiver)]
    mode: DisableMode,
}

enumeration! {
    DisableMode {
        /// It can be enabled again.
        Desactiver = "desactiver",
        /// A number stands for the name from then on, and what belongs to the person alone is removed.
        Pseudonymiser = "pseudonymiser",
    }
}
enumeration_field!(DisableMode);

/// Disables an account; nothing of it is lost. With `mode=pseudonymiser` its person is taken out of the system, for good: a number
/// stands for the name, also in the journals; sessions, keys, mails and notifications are removed, a technicien's record too. Their work
/// stays, and the audit until its time is over.
#[utoipa::path(
    delete, path = "/users/{id}", tag = "users",
    params(("id" = i64, Path), Query<DisableQuery>),
    responses(
        (status = 204),
        Refusals<404, codes::UtilisateurIntrouvable>,
        Refusals<409, (codes::DesactivationDeSoi, codes::DernierAdministrateur, codes::ComptePseudonymise)>,
    ),
)]
async fn disable(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
    Query(DisableQuery { mode }): Query<DisableQuery>,
) -> Result<StatusCode, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let acte = match mode {
        DisableMode::Desactiver => {
            accounts::disable(&mut tx, id, user.id, now).await?;
            Acte::CompteDesactive
        }
        DisableMode::Pseudonymiser => {
            accounts::pseudonymise(&mut tx, id, user.id, now).await?;
            Acte::ComptePseudonymise
        }
    };
    let entry = Entry::new(acte, &auteur).on(Cible::Compte, &id);
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Enables an account again. One that has no password yet also needs another invitation (`renvoyer`).
#[utoipa::path(
    patch, path = "/users/{id}/activate", tag = "users",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = UserOut),
        Refusals<404, codes::UtilisateurIntrouvable>,
        Refusals<409, codes::ComptePseudonymise>,
    ),
)]
async fn activate(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<Json<UserOut>, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let user = accounts::activate(&mut tx, id, now).await?;
    let entry = Entry::new(Acte::CompteReactive, &auteur).on(Cible::Compte, &id);
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(Json(user))
}

/// Ends all sessions of an account, the links that were mailed to it, its trusted devices and its API keys.
#[utoipa::path(
    delete, path = "/users/{id}/sessions", tag = "users",
    params(("id" = i64, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::UtilisateurIntrouvable>,
    ),
)]
async fn end_sessions(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<StatusCode, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    accounts::end_sessions(&mut tx, id, Motif::Administrateur, now).await?;
    let entry = Entry::new(Acte::SessionsTerminees, &auteur).on(Cible::Compte, &id);
    entry.record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the second factor of who has lost it, ends their sessions, and mails them. Recovery codes and trusted devices go with it.
#[utoipa::path(
    delete, path = "/users/{id}/second-factor", tag = "users",
    params(("id" = i64, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::UtilisateurIntrouvable>,
        Refusals<409, (codes::SecondFacteurAbsent, codes::SecondFacteurDeSoi)>,
    ),
)]
async fn reset_second_factor(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<StatusCode, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    second_factor::reset(&mut tx, id, &auteur, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets who the owner of an account is at the provider of the company, for somebody who has become another one there: the next sign-in
/// finds the account by its address again. Sessions go on.
#[utoipa::path(
    delete, path = "/users/{id}/identite", tag = "users",
    params(("id" = i64, Path)),
    responses(
        (status = 204),
        Refusals<404, (codes::UtilisateurIntrouvable, codes::IdentiteIntrouvable)>,
    ),
)]
async fn unlink_identity(
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
) -> Result<StatusCode, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    identites::unlink(&mut tx, id, &auteur, now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
