//! Reports: asked for, watched, fetched, given away, stopped.
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use erp_core::{
    Ctx, Error, Noun, Result,
    audit::{Acte, Auteur as Author, Cible, Entry},
    auth,
    error::codes,
    input::{Input, Trimmed},
    rapports::{
        self, LienCreate, LienOut, Rapport, RapportCreate, RapportFilter, RapportOut, liens,
        listes::Liste,
    },
    users::UserRole,
};
use serde_json::json;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::documents::percent_encoded;
use crate::{
    ApiError,
    extract::{Auteur, CurrentUser, Json as Read, MaybeUser, Name, Query},
    list::Here,
    openapi::Refusals,
};

/// Its line in the OpenAPI document.
pub(super) const TAG: (&str, &str) =
    ("rapports", "Lists as files for a spreadsheet, made by a worker and kept for seven days.");

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(ask_report, list_reports))
        .routes(routes!(show_report, remove_report))
        .routes(routes!(report_file))
        .routes(routes!(share_report))
        .routes(routes!(restart_report))
}

fn id(text: &str) -> Result<Uuid> {
    text.parse().map_err(|_| Error::NotFound(Noun::RAPPORT))
}

/// Whose reports the caller sees: `None` for those of all.
fn seen(user: &CurrentUser) -> Option<i64> {
    let all = matches!(user.role, UserRole::Admin | UserRole::Responsable);
    (!all).then_some(user.id)
}

/// 202, and where to look.
fn accepted(rapport: Rapport) -> Response {
    let location = format!("/api/v1/rapports/{}", rapport.id);
    let location = HeaderValue::try_from(location).ok();
    let headers: HeaderMap = location.map(|place| (header::LOCATION, place)).into_iter().collect();
    (StatusCode::ACCEPTED, headers, Json(rapport.shown())).into_response()
}

/// Asks for a report: a list with the filters and rights of its route, as a file that a worker makes. `Location` says where to look.
/// The same request within a minute is answered with the first report, unless the data have changed since.
#[utoipa::path(
    post, path = "/rapports", tag = "rapports",
    request_body = RapportCreate,
    responses(
        (status = 202, body = RapportOut, headers(("Location" = String, description = "The report."))),
        Refusals<403, codes::ActionInterdite>,
        Refusals<404, codes::InterventionIntrouvable>,
        Refusals<409, codes::TropDeRapports>,
    ),
)]
async fn ask_report(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Read(new): Read<RapportCreate>,
) -> Result<Response, ApiError> {
    let session = user.session()?;
    Liste::open(&ctx.pool, new.type_, &new.filtres.0, user.reader()).await?;
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let (rapport, is_new) = rapports::ask(&mut tx, (user.id, session), &new, now).await?;
    if is_new {
        entry(Acte::RapportDemande, &auteur, rapport.id)
            .after(json!({ "type": rapport.type_, "format": rapport.format, "filtres": rapport.filtres }))
            .record(&mut tx, now)
            .await?;
    }
    tx.commit().await?;
    Ok(accepted(rapport))
}

fn entry(acte: Acte, auteur: &Author, id: Uuid) -> Entry<'_> {
    Entry::new(acte, auteur).on(Cible::Rapport, &id)
}

/// The caller's reports; a responsable sees those of all.
#[utoipa::path(
    get, path = "/rapports", tag = "rapports",
    params(Query<RapportFilter>),
    responses(
        (status = 200, body = [RapportOut]),
    ),
)]
async fn list_reports(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    here: Here,
    Query(filter): Query<RapportFilter>,
) -> Result<Response, ApiError> {
    let filter = RapportFilter { user_id: seen(&user).or(filter.user_id), ..filter };
    let listed = rapports::list(&ctx.pool, &filter).await?;
    Ok(here.list(&filter.page, &listed.map(Rapport::shown)))
}

/// How far a report is.
#[utoipa::path(
    get, path = "/rapports/{id}", tag = "rapports",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = RapportOut),
        Refusals<404, codes::RapportIntrouvable>,
    ),
)]
async fn show_report(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Name(name): Name,
) -> Result<Json<RapportOut>, ApiError> {
    Ok(Json(rapports::find(&ctx.pool, id(&name)?, seen(&user)).await?.shown()))
}

#[derive(Input)]
struct Secret(#[input(name = "lien", as = Trimmed<200>)] Option<String>);

/// The file, for the owner of the report, or for whoever has an address of `POST /rapports/{id}/lien`: each download by that is
/// counted when it begins, and is the whole file: there are no ranges.
#[utoipa::path(
    get, path = "/rapports/{id}/fichier", tag = "rapports",
    params(
        ("id" = Uuid, Path),
        ("lien" = Option<String>, Query, description = "The secret of an address; or a bearer token."),
    ),
    responses(
        (status = 200, description = "The file.", content(
            (Vec<u8> = "text/csv"),
            (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        )),
        Refusals<401, codes::LienInvalide>,
        Refusals<404, codes::RapportIntrouvable>,
        Refusals<409, codes::RapportPasPret>,
    ),
)]
async fn report_file(
    method: Method,
    user: MaybeUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
    Query(Secret(lien)): Query<Secret>,
) -> Result<Response, ApiError> {
    let (now, fetches) = (ctx.clock.now(), method == Method::GET);
    let (id, rapport) = match (&user, &lien) {
        (_, Some(secret)) => {
            let id = id(&name)?;
            (id, liens::follow(&ctx, id, secret, now).await?)
        }
        (MaybeUser(Some(user)), None) => {
            let id = id(&name)?;
            (id, rapports::find(&ctx.pool, id, Some(user.id)).await?)
        }
        (MaybeUser(None), None) => return Err(auth::session_ended().into()),
    };
    let found = ctx.storage.open(&rapports::file(&rapport, now)?, None).await;
    let found = found.map_err(|error| match error {
        // Removed since, or never restored.
        Error::NotFound(_) => rapports::not_ready(),
        other => other,
    })?;
    if fetches {
        let mut tx = ctx.begin().await?;
        if let Some(secret) = &lien {
            liens::count(&ctx, &mut tx, secret, now).await?;
        }
        entry(Acte::RapportTelecharge, &auteur, id)
            .after(json!({ "par_lien": lien.is_some() }))
            .record(&mut tx, now)
            .await?;
        tx.commit().await?;
    }
    let mut answer = Body::from_stream(found.stream).into_response();
    *answer.headers_mut() = headers(&rapport, found.size);
    Ok(answer)
}

fn headers(rapport: &Rapport, size: u64) -> HeaderMap {
    // Browsers make of a title with a slash what they like.
    let name = format!("{}.{}", rapport.titre.replace(['/', '\\'], "-"), rapport.format);
    let name = percent_encoded(&name);
    let pairs = [
        (header::CONTENT_TYPE, rapport.format.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename*=UTF-8''{name}")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_LENGTH, size.to_string()),
        // The address may contain a secret.
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// Makes an address that opens the file without a session, for some days and so many downloads.
#[utoipa::path(
    post, path = "/rapports/{id}/lien", tag = "rapports",
    params(("id" = Uuid, Path)),
    request_body = LienCreate,
    responses(
        (status = 201, body = LienOut),
        Refusals<404, codes::RapportIntrouvable>,
        Refusals<409, (codes::RapportPasPret, codes::TropDeLiens)>,
    ),
)]
async fn share_report(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
    Read(new): Read<LienCreate>,
) -> Result<(StatusCode, Json<LienOut>), ApiError> {
    let (id, caller) = (id(&name)?, (user.id, user.session()?));
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let made = liens::open(&mut tx, &ctx.report_links, id, caller, &new, now).await?;
    entry(Acte::RapportPartage, &auteur, id)
        .after(json!({ "expire_le": made.expires_at, "telechargements_max": made.telechargements_max }))
        .record(&mut tx, now)
        .await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Makes a report again, of what there is now. The file of before is gone, and its addresses.
#[utoipa::path(
    post, path = "/rapports/{id}/relancer", tag = "rapports",
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, body = RapportOut, headers(("Location" = String, description = "The report."))),
        Refusals<403, codes::ActionInterdite>,
        Refusals<404, (codes::RapportIntrouvable, codes::InterventionIntrouvable)>,
        Refusals<409, (codes::RapportEnCours, codes::TropDeRapports)>,
    ),
)]
async fn restart_report(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<Response, ApiError> {
    let (id, session) = (id(&name)?, user.session()?);
    let asked = rapports::find(&ctx.pool, id, Some(user.id)).await?;
    if let Some(filtres) = asked.filtres.as_object() {
        Liste::open(&ctx.pool, asked.type_, filtres, user.reader()).await?;
    }
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let rapport = rapports::restart(&mut tx, id, (user.id, session), now).await?;
    entry(Acte::RapportRelance, &auteur, id).record(&mut tx, now).await?;
    tx.commit().await?;
    Ok(accepted(rapport))
}

/// Stops a report that waits or is being made; it stays in the list as `cancelled`. Removes one that is over, with its file and the
/// addresses of it. Also those of others, for admins.
#[utoipa::path(
    delete, path = "/rapports/{id}", tag = "rapports",
    params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        Refusals<404, codes::RapportIntrouvable>,
    ),
)]
async fn remove_report(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Auteur(auteur): Auteur,
    Name(name): Name,
) -> Result<StatusCode, ApiError> {
    let (id, of) = (id(&name)?, (user.role != UserRole::Admin).then_some(user.id));
    let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
    let rapport = rapports::remove(&mut tx, id, of, now).await?;
    entry(Acte::RapportSupprime, &auteur, id)
        .before(json!({ "titre": rapport.titre, "statut": rapport.statut }))
        .record(&mut tx, now)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
