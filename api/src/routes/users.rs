//! Accounts: all of them for admins (a list of them for responsables), and the caller's own.
use std::net::IpAddr;

use axum::{extract::State, http::StatusCode, response::Response};
use erp_core::{
    Ctx, Result,
    accounts::{self, Edited, UserPatch},
    audit::{Acte, Cible, Entry},
    auth,
    error::codes,
    input::Input,
    page::Page,
    users::{
        self, Account, Password, PasswordHash, UserCreate, UserListe, UserOut, UserRole, UserUpdate,
    },
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{personal_data, preferences, user_access};
use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Json as Body, Query, RowId},
    if_match::{IfMatch, Tagged},
    layers::ClientAddress,
    list::Here,
    once::Once,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) = ("users", "Accounts and their roles.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .merge(preferences::router())
        .routes(routes!(create, list))
        .routes(routes!(me))
        .routes(routes!(update))
        .routes(routes!(show, edit))
        .merge(personal_data::router())
        .merge(user_access::router())
}

/// Creates an account.
#[utoipa::path(
    post, path = "/users", tag = "users",
    request_body = UserCreate,
    responses(
        (status = 201, body = UserOut),
        Refusals<404, codes::ClientIntrouvable>,
        Refusals<409, (codes::EmailDejaUtilise, codes::NomUtilisateurDejaUtilise)>,
    ),
)]
async fn create(
    once: Once,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Body(new): Body<UserCreate>,
) -> Result<Response, ApiError> {
    let hash = users::hash_password(new.password.clone()).await?;

    let (mut effect, now) = (once.begin(&ctx).await?, ctx.clock.now());
    let user = users::create(&mut effect, &new, &hash, now).await?;
    let entry =
        Entry::new(Acte::CompteCree, &auteur).on(Cible::Compte, &user.id).after(json!(user));
    entry.record(&mut effect, now).await?;
    effect.answer(StatusCode::CREATED, &user).await
}

#[derive(Input)]
struct UserList(#[input(page = users::SORTABLE)] Page);

/// All accounts. A responsable, who makes techniciens of users, sees of each the name, the role and whether it is active, and
/// of staff the username and the address too.
#[utoipa::path(
    get, path = "/users", tag = "users",
    params(Query<UserList>),
    responses(
        (status = 200, body = [UserListe]),
    ),
)]
async fn list(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(UserList(page)): Query<UserList>,
) -> Result<Response, ApiError> {
    let apercu = user.role != UserRole::Admin;
    let shown = |user: UserOut| {
        if apercu { UserListe::Apercu(user.into()) } else { UserListe::Compte(user) }
    };
    Ok(here.list(&page, &users::list(&ctx.pool, &page, apercu).await?.map(shown)))
}

/// One account.
#[utoipa::path(
    get, path = "/users/{id}", tag = "users",
    params(("id" = i64, Path)),
    responses(
        (status = 200, body = UserOut),
        Refusals<404, codes::UtilisateurIntrouvable>,
    ),
)]
async fn show(State(ctx): State<Ctx>, RowId(id): RowId) -> Result<Tagged<UserOut>, ApiError> {
    Ok(Tagged(users::find(&ctx.pool, id).await?))
}

/// The caller's account.
#[utoipa::path(
    get, path = "/users/me", tag = "users",
    responses(
        (status = 200, body = UserOut),
    ),
)]
async fn me(user: CurrentUser, State(ctx): State<Ctx>) -> Result<Tagged<UserOut>, ApiError> {
    Ok(Tagged(users::find(&ctx.pool, user.id).await?))
}

/// Changes the caller's own name, language or password. A new password wants the current one beside it, and signs out everywhere.
#[utoipa::path(
    put, path = "/users/update", tag = "users",
    request_body = UserUpdate,
    responses(
        (status = 200, body = UserOut),
    ),
)]
async fn update(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    ClientAddress(address): ClientAddress,
    Auteur(auteur): Auteur,
    Body(edit): Body<UserUpdate>,
) -> Result<Tagged<UserOut>, ApiError> {
    let session = user.session()?;
    // A new password without the current one is refused as input; a current one alone changes nothing.
    let password = match edit.password.zip(edit.current_password) {
        Some((new, current)) => Some(confirmed(&ctx, user.id, new, current, address).await?),
        None => None,
    };
    let full_name = edit.full_name.map(|line| line.0);

    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    // An account that has just ended gets no other name.
    auth::hold_session(&mut tx, user.id, session, now).await?;
    let old = users::find_for_update(&mut tx, user.id).await?;
    let new = users::update(&mut tx, user.id, full_name.as_deref(), edit.langue, now).await?;
    let secrets: &[&str] = if password.is_some() { &["password"] } else { &[] };
    let user = if_match.judge_with(&old, new, secrets)?;
    if let Some((account, hash)) = password {
        accounts::change_password(&mut tx, &account, session, &hash, address, now).await?;
        let entry = Entry::new(Acte::MotDePasseChange, &auteur).on(Cible::Compte, &user.id);
        entry.record(&mut tx, now).await?;
    }
    tx.commit().await?;
    Ok(Tagged(user))
}

/// Checks the new password, confirms the current one, and returns the account and the hash of the new password.
async fn confirmed(
    ctx: &Ctx,
    id: i64,
    new: Password,
    current: Password,
    address: IpAddr,
) -> Result<(Account, PasswordHash)> {
    let owner = users::find(&ctx.pool, id).await?;
    users::check_new_password(&new, &owner, "password").await?;
    let account = auth::confirm_password(ctx, id, current, address).await?;
    let account = account.ok_or_else(users::wrong_current_password)?;
    Ok((account, users::hash_password(new).await?))
}

/// Changes an account; what is not named stays. Another role, client or address, and disabling, sign its owner out everywhere.
#[utoipa::path(
    put, path = "/users/{id}", tag = "users",
    params(("id" = i64, Path)),
    request_body = UserPatch,
    responses(
        (status = 200, body = UserOut),
        Refusals<404, (codes::UtilisateurIntrouvable, codes::ClientIntrouvable)>,
        Refusals<409, (codes::EmailDejaUtilise, codes::DernierAdministrateur, codes::DesactivationDeSoi, codes::CompteDeTechnicien, codes::ComptePseudonymise)>,
    ),
)]
async fn edit(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    if_match: IfMatch,
    Auteur(auteur): Auteur,
    RowId(id): RowId,
    Body(patch): Body<UserPatch>,
) -> Result<Tagged<UserOut>, ApiError> {
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let Edited { old, new, avant, apres } =
        accounts::edit(&mut tx, id, patch, user.id, now).await?;
    // No answer shows whose user it is.
    let unseen: &[&str] = if avant.get("client_id").is_some() { &["client_id"] } else { &[] };
    let new = if_match.judge_with(&old, new, unseen)?;
    if avant != apres {
        let entry = Entry::new(Acte::CompteModifie, &auteur).on(Cible::Compte, &id);
        entry.before(avant).after(apres).record(&mut tx, now).await?;
    }
    tx.commit().await?;
    Ok(Tagged(new))
}
