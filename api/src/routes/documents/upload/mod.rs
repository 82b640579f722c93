//! Receives files: streams each to storage in constant memory, measures and hashes it on the way, then records it with its
//! job in one transaction. A failure before that leaves neither row nor file.
mod pace;
mod refusals;

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    response::Response,
};
use erp_core::{
    Ctx, Error, Result,
    documents::{
        self, Document, DocumentOut, FileKind, NewDocument,
        kind::{HEAD_BYTES, clean_name},
        lots,
    },
    error::codes,
    input::{Fields, Id, Input, MAX_TEXT, Source},
    interventions,
    jobs::CAUSE,
    scope::Scope,
    secret,
    storage::Writer,
};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;
use utoipa::{
    IntoResponses,
    openapi::{self, RefOr},
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::{
    pace::Pace,
    refusals::{broken, file_fault, refused, too_large},
};
use crate::{
    ApiError,
    extract::{CurrentUser, Query, content_type},
    multipart::{Part, Parts},
    once::{Effect, Once, Told},
    openapi::Refusals,
};

/// The most bytes that a body may have beyond the largest file: boundaries, heads and the description.
const WRAPPING: u64 = 64 * 1024;

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(upload))
        // The file has its own limit, counted as it streams.
        .layer(DefaultBodyLimit::disable())
}

/// The form of an upload.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "what is streamed is only described")]
struct Upload {
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// What its readers should know of the file.
    #[schema(max_length = 10_000)]
    description: Option<String>,
}

/// How both routes refuse an upload.
struct UploadRefusals;

impl IntoResponses for UploadRefusals {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        [
            Refusals::<404, (codes::InterventionIntrouvable, codes::LotIntrouvable)>::responses(),
            Refusals::<409, (codes::LotFerme, codes::LotPlein)>::responses(),
            Refusals::<413, codes::FichierTropGrand>::responses(),
            Refusals::<415, (codes::TypeDeFichierRefuse, codes::TypeDeContenuRefuse)>::responses(),
            Refusals::<429, (codes::QuotaDepotsAtteint, codes::TropDeRequetes)>::responses(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

#[derive(Input)]
struct Target {
    #[input(as = Id)]
    intervention_id: i64,
    #[input(as = Id)]
    lot: Option<i64>,
}

/// Attaches a file to an intervention. `lot`: the lot of files that it belongs to, opened before.
#[utoipa::path(
    post, path = "/documents", tag = "documents",
    params(Query<Target>),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, body = DocumentOut),
        UploadRefusals,
    ),
)]
async fn create(
    user: CurrentUser,
    once: Once,
    State(ctx): State<Ctx>,
    Query(target): Query<Target>,
    request: Request,
) -> Result<Response, ApiError> {
    if !once.is_known() {
        interventions::find(&ctx.pool, target.intervention_id, Scope::All).await?;
        let (quota, now) = (ctx.config.uploads.quota_mib, ctx.clock.now());
        documents::ensure_quota(&ctx.pool, user.id, quota, now).await?;
        if let Some(lot) = target.lot {
            lots::ensure_open(&ctx.pool, lot, target.intervention_id, user.id).await?;
        }
    }
    let file = receive_file(&ctx, request).await?;
    let said = file.description.as_deref().unwrap_or_default();
    let answer = match once.tell(&ctx, &[&file.filename, &file.sha256, said]) {
        Ok(Told::New(once)) => {
            return record(ctx, once, file, &target, user).await;
        }
        Ok(Told::Again(answer)) => Ok(answer),
        Err(error) => Err(error),
    };
    // A repeat, whose file is stored already, or a key used for another file: removes this copy before answering.
    file.writer.abort().await;
    answer
}

/// The same, at the address that the frontend uses.
#[utoipa::path(
    post, path = "/documents/upload", tag = "documents",
    params(Query<Target>),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, body = DocumentOut),
        UploadRefusals,
    ),
)]
async fn upload(
    user: CurrentUser,
    once: Once,
    ctx: State<Ctx>,
    target: Query<Target>,
    request: Request,
) -> Result<Response, ApiError> {
    create(user, once, ctx, target, request).await
}

/// A file that has arrived whole and is accepted, but is not visible in storage yet. Dropping it removes what was written.
struct Received {
    writer: Writer,
    fichier: Uuid,
    kind: FileKind,
    filename: String,
    size_bytes: u64,
    sha256: String,
    description: Option<String>,
}

/// Streams the part `file` of a multipart body to storage, and reads the part `description`, which may come before or after it.
async fn receive_file(ctx: &Ctx, request: Request) -> Result<Received, ApiError> {
    if content_type(request.headers()) != "multipart/form-data" {
        return Err(ApiError::content_type("multipart/form-data"));
    }
    let max = ctx.config.uploads.max_bytes;
    let most = max.saturating_add(WRAPPING);
    let mut parts = Parts::read(request, most).await.map_err(|why| broken(why, max))?;
    let pace = Pace::new(most, parts.received());
    let (mut file, mut description) = (None, None);
    while let Some(mut part) = pace.keep(parts.next()).await?.map_err(|why| broken(why, max))? {
        match part.name() {
            Some("file") if part.file_name().is_some() && file.is_none() => {
                file = Some(stream_to_storage(ctx, part, max, &pace).await?);
            }
            Some("description") => description = Some(read_text(&mut part, max, &pace).await?),
            _ => while next_chunk(&mut part, max, &pace).await?.is_some() {},
        }
    }
    let file = file.ok_or_else(|| file_fault("missing", "Joignez un fichier.", "Attach a file"))?;
    let said = description.map(|text| ("description".to_owned(), text));
    match Fields::pairs(Source::Body, said).parse() {
        Ok(Said { description }) => Ok(Received { description, ..file }),
        Err(error) => {
            file.writer.abort().await;
            Err(error.into())
        }
    }
}

/// The fields of the form beside the file.
#[derive(Input)]
struct Said {
    description: Option<String>,
}

/// The text of a part. Of one that is longer than any field may be, only the beginning, which is itself too long and refused.
async fn read_text(part: &mut Part<'_>, max: u64, pace: &Pace) -> Result<String, ApiError> {
    const MOST_BYTES: usize = 4 * (MAX_TEXT + 1);
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(part, max, pace).await? {
        let left = MOST_BYTES - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(left)]);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn stream_to_storage(
    ctx: &Ctx,
    mut part: Part<'_>,
    max: u64,
    pace: &Pace,
) -> Result<Received, ApiError> {
    let filename = clean_name(part.file_name().unwrap_or_default());
    let mut head = Vec::with_capacity(HEAD_BYTES);
    while head.len() < HEAD_BYTES {
        match next_chunk(&mut part, max, pace).await? {
            Some(chunk) => head.extend_from_slice(&chunk),
            None => break,
        }
    }
    let kind = FileKind::identify(&filename, &head).map_err(|refusal| refused(&refusal))?;

    let fichier = Uuid::new_v4();
    let mut writer = ctx.storage.writer(&format!("{fichier}.{}", kind.extension()))?;
    let (mut size_bytes, mut hash) = (0, Sha256::new());
    let mut next = Some(Bytes::from(head));
    while let Some(chunk) = next {
        size_bytes += chunk.len() as u64;
        if size_bytes > max {
            writer.abort().await;
            return Err(too_large(max).into());
        }
        hash.update(&chunk);
        writer.write(chunk).await?;
        next = next_chunk(&mut part, max, pace).await?;
    }
    let sha256 = secret::hex(&hash.finalize());
    Ok(Received { writer, fichier, kind, filename, size_bytes, sha256, description: None })
}

async fn next_chunk(part: &mut Part<'_>, max: u64, pace: &Pace) -> Result<Option<Bytes>, ApiError> {
    pace.keep(part.chunk()).await?.map_err(|why| broken(why, max))
}

/// Makes the file visible in storage, then records its row and its job in one transaction. Runs to its end even if the client
/// hangs up meanwhile: stopping halfway could leave a file without a row, or worse, a row without a file.
async fn record(
    ctx: Ctx,
    once: Once,
    file: Received,
    target: &Target,
    user: CurrentUser,
) -> Result<Response, ApiError> {
    let Target { intervention_id, lot: lot_id } = *target;
    let cause = CAUSE.try_with(|cause| *cause).unwrap_or_default();
    let work = CAUSE.scope(cause, async move {
        let Received { writer, fichier, kind, filename, size_bytes, sha256, description } = file;
        writer.finish().await?;
        let new = NewDocument {
            fichier,
            kind,
            filename,
            intervention_id,
            depose_par: user.id,
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
            sha256,
            description,
            lot_id,
        };
        let recorded = insert(&ctx, &once, &new).await;
        if recorded.is_err() {
            ctx.storage.delete(&format!("{fichier}.{}", kind.extension())).await?;
        }
        let (effect, document) = recorded?;
        // A commit whose answer is lost may have succeeded: so the file stays. If it failed, the purge finds a file
        // without a row.
        let shown = document.shown(&ctx.signed_urls, user.is_outside(), ctx.clock.now());
        effect.answer(StatusCode::CREATED, &shown).await
    });
    #[expect(clippy::disallowed_methods, reason = "detached from the client, but awaited here")]
    let task = tokio::spawn(work.in_current_span());
    task.await.map_err(|error| Error::from(anyhow::Error::from(error)))?
}

async fn insert(ctx: &Ctx, once: &Once, new: &NewDocument) -> Result<(Effect, Document)> {
    let mut effect = once.begin(ctx).await?;
    let (quota, now) = (ctx.config.uploads.quota_mib, ctx.clock.now());
    let document = documents::receive(&mut effect, new, quota, now).await?;
    Ok((effect, document))
}

/// Receives a file as an upload does, and discards it. Returns name, kind, size and SHA-256. For [`crate::fuzzing`].
pub(crate) async fn look_at(
    ctx: &Ctx,
    request: Request,
) -> Result<(String, FileKind, u64, String), ApiError> {
    let file = receive_file(ctx, request).await?;
    Ok((file.filename, file.kind, file.size_bytes, file.sha256))
}
