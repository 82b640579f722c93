//! How a file comes in: streamed to storage in constant memory, measured and hashed on the way, then recorded
//! with its job in one transaction. Whatever goes wrong before that leaves neither row nor file.
use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State, multipart::Field},
    http::{StatusCode, header},
};
use erp_core::{
    Ctx, Error, Result, Text,
    documents::{
        self, Document, DocumentOut, FileKind, NewDocument,
        kind::{HEAD_BYTES, Refusal, clean_name},
    },
    input::{Fault, Fields, Id, Input},
    interventions,
    jobs::CAUSE,
    storage::Writer,
};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    ApiError,
    extract::{CurrentUser, Query, content_type},
};

/// A client that sends nothing for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// What multipart wraps around a file, at most.
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
}

struct Target {
    intervention_id: i64,
}

impl Input for Target {
    fn read(fields: &mut Fields) -> Option<Self> {
        Some(Self { intervention_id: fields.required::<Id>("intervention_id")?.0 })
    }
}

/// Attaches a file to an intervention.
#[utoipa::path(
    post, path = "/documents", tag = "documents",
    params(Query<Target>),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, body = DocumentOut, description = "Done."),
        (status = 404, description = "intervention_introuvable"),
        (status = 413, description = "fichier_trop_grand"),
        (status = 415, description = "type_de_fichier_refuse, type_de_contenu_refuse"),
    ),
)]
async fn create(
    user: CurrentUser,
    State(ctx): State<Ctx>,
    Query(target): Query<Target>,
    request: Request,
) -> Result<(StatusCode, Json<DocumentOut>), ApiError> {
    interventions::find(&ctx.pool, target.intervention_id, None).await?;
    let file = receive_file(&ctx, request).await?;
    let document = record(ctx, file, target.intervention_id, user.id).await?;
    Ok((StatusCode::CREATED, Json(document.into())))
}

/// The same, at the address that the frontend uses.
#[utoipa::path(
    post, path = "/documents/upload", tag = "documents",
    params(Query<Target>),
    request_body(content = Upload, content_type = "multipart/form-data"),
    responses(
        (status = 201, body = DocumentOut, description = "Done."),
        (status = 404, description = "intervention_introuvable"),
        (status = 413, description = "fichier_trop_grand"),
        (status = 415, description = "type_de_fichier_refuse, type_de_contenu_refuse"),
    ),
)]
async fn upload(
    user: CurrentUser,
    ctx: State<Ctx>,
    target: Query<Target>,
    request: Request,
) -> Result<(StatusCode, Json<DocumentOut>), ApiError> {
    create(user, ctx, target, request).await
}

/// A file that has arrived whole and is accepted, but not yet in its place: dropped, it is gone.
struct Received {
    writer: Writer,
    fichier: Uuid,
    kind: FileKind,
    filename: String,
    size_bytes: u64,
    sha256: String,
}

/// Streams the part `file` of a multipart body to storage.
async fn receive_file(ctx: &Ctx, request: Request) -> Result<Received, ApiError> {
    if content_type(request.headers()) != "multipart/form-data" {
        return Err(ApiError::content_type("multipart/form-data"));
    }
    let max = ctx.config.uploads.max_bytes;
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > max.saturating_add(WRAPPING)) {
        return Err(too_large(max).into());
    }
    let mut parts = Multipart::from_request(request, ctx).await.map_err(|_| malformed())?;
    loop {
        let part = parts.next_field();
        match tokio::time::timeout(SILENCE, part)
            .await
            .map_err(|_| too_slow())?
            .map_err(|_| malformed())?
        {
            Some(field) if field.name() == Some("file") && field.file_name().is_some() => {
                return Ok(stream_to_storage(ctx, field, max).await?);
            }
            Some(_) => {}
            None => {
                return Err(file_fault("missing", "Joignez un fichier.", "Attach a file").into());
            }
        }
    }
}

async fn stream_to_storage(ctx: &Ctx, mut field: Field<'_>, max: u64) -> Result<Received> {
    let filename = clean_name(field.file_name().unwrap_or_default());
    let mut head = Vec::with_capacity(HEAD_BYTES);
    while head.len() < HEAD_BYTES {
        match next_chunk(&mut field).await? {
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
            return Err(too_large(max));
        }
        hash.update(&chunk);
        writer.write(chunk).await?;
        next = next_chunk(&mut field).await?;
    }
    let sha256 = base16ct::lower::encode_string(&hash.finalize());
    Ok(Received { writer, fichier, kind, filename, size_bytes, sha256 })
}

async fn next_chunk(field: &mut Field<'_>) -> Result<Option<Bytes>> {
    let chunk = tokio::time::timeout(SILENCE, field.chunk()).await.map_err(|_| too_slow())?;
    chunk.map_err(|_| malformed())
}

/// Puts the file in its place, then its row and its job in one transaction. Runs to its end even when the client
/// hangs up meanwhile: a commit cut in two would leave a file that nobody knows of, or worse, the reverse.
async fn record(ctx: Ctx, file: Received, intervention_id: i64, user_id: i64) -> Result<Document> {
    let cause = CAUSE.try_with(|cause| *cause).unwrap_or_default();
    let work = CAUSE.scope(cause, async move {
        let Received { writer, fichier, kind, filename, size_bytes, sha256 } = file;
        writer.finish().await?;
        let new = NewDocument {
            fichier,
            kind,
            filename,
            intervention_id,
            depose_par: user_id,
            size_bytes: i64::try_from(size_bytes).unwrap_or(i64::MAX),
            sha256,
        };
        let recorded = insert(&ctx, &new).await;
        if recorded.is_err() {
            ctx.storage.delete(&format!("{fichier}.{}", kind.extension())).await?;
        }
        let (tx, document) = recorded?;
        // A commit whose answer is lost may have happened: then the file must stay. If it did not, the purge
        // finds a file without a row.
        tx.commit().await?;
        Ok(document)
    });
    #[expect(clippy::disallowed_methods, reason = "detached from the client, but awaited here")]
    let task = tokio::spawn(work.in_current_span());
    task.await.map_err(anyhow::Error::from)?
}

async fn insert(ctx: &Ctx, new: &NewDocument) -> Result<(erp_core::Tx<'static>, Document)> {
    let mut tx = ctx.begin().await?;
    let document = documents::receive(&mut tx, new, ctx.clock.now()).await?;
    Ok((tx, document))
}

fn refused(refusal: &Refusal) -> Error {
    let text = Text::new(refusal.french(), refusal.english());
    match refusal {
        Refusal::Missing | Refusal::Empty => file_fault("value_error", text.fr, text.en),
        Refusal::Extension | Refusal::Content { .. } => {
            Error::Unsupported { code: "type_de_fichier_refuse", text }
        }
    }
}

fn too_large(max: u64) -> Error {
    Error::TooLarge {
        code: "fichier_trop_grand",
        text: Text::new(
            format!(
                "Le fichier dépasse {} : réduisez-le ou envoyez-le en plusieurs fois.",
                size(max, "Mio", "octets")
            ),
            format!(
                "The file is larger than {}: reduce it or send it in parts.",
                size(max, "MiB", "bytes")
            ),
        ),
    }
}

fn size(bytes: u64, mebibytes: &str, plain: &str) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes.is_multiple_of(MIB) {
        format!("{} {mebibytes}", bytes / MIB)
    } else {
        format!("{bytes} {plain}")
    }
}

fn malformed() -> Error {
    file_fault(
        "multipart_invalid",
        "L'envoi est mal formé ou interrompu.",
        "The upload is malformed or broken off",
    )
}

fn too_slow() -> Error {
    file_fault("timeout", "L'envoi s'est interrompu : réessayez.", "The upload stalled: try again")
}

fn file_fault(kind: &'static str, fr: impl Into<String>, en: impl Into<String>) -> Error {
    let loc = vec!["body".to_owned(), "file".to_owned()];
    Error::Invalid(vec![Fault { loc, msg: Text::new(fr, en), kind }])
}

/// What is found of a file in a body, which is not kept: name, kind, size and SHA-256. For [`crate::fuzzing`].
pub(crate) async fn look_at(
    ctx: &Ctx,
    request: Request,
) -> Result<(String, FileKind, u64, String), ApiError> {
    let file = receive_file(ctx, request).await?;
    Ok((file.filename, file.kind, file.size_bytes, file.sha256))
}
