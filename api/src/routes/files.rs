//! How a file goes out: only what is ready, under its unguessable name, as what it was checked to be.
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use erp_core::{
    Ctx, Error, Noun, Result,
    documents::{self, Document, StatutDocument},
    interventions,
    storage::Stat,
};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    ApiError,
    extract::{CurrentUser, MaybeUser},
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(download))
}

/// A file of a document, or its preview or thumbnail. Without a token only when the document is `ready`; while it is
/// `pending` the original is for those who may read the document.
#[utoipa::path(get, path = "/static/uploads/{file}", tag = "documents", params(("file" = String, Path)),
    responses(
        (status = 200, description = "The file, with its own type.", content_type = "*/*", body = Vec<u8>),
        (status = 206, description = "The part that `Range` asked for.", content_type = "*/*", body = Vec<u8>),
        (status = 304, description = "`If-None-Match` names the file as it is."),
        (status = 416, description = "`Range` is not in the file."),
    ),
)]
async fn download(
    MaybeUser(user): MaybeUser,
    State(ctx): State<Ctx>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let document = find(&ctx, &name).await?;
    if document.status != StatutDocument::Ready {
        may_read_unready(&ctx, user.as_ref(), &document, &name).await?;
    }
    let stat = ctx.storage.stat(&name).await?;
    let mut response = content(&ctx, &name, &stat, &headers).await?;
    response.headers_mut().extend(headers_of(&document, &name, &stat));
    Ok(response)
}

/// The document that `name` is a file of.
async fn find(ctx: &Ctx, name: &str) -> Result<Document> {
    let absent = || Error::NotFound(Noun::Fichier);
    let fichier = name.get(..36).and_then(|s| Uuid::try_parse(s).ok()).ok_or_else(absent)?;
    let document = documents::find_by_fichier(&ctx.pool, fichier).await?;
    let known = document.key() == name
        || (document.has_previews && document.keys()[1..].iter().any(|key| key == name));
    if known { Ok(document) } else { Err(absent()) }
}

/// What could not be decoded is never served; what waits is served to those who may read it anyhow.
async fn may_read_unready(
    ctx: &Ctx,
    user: Option<&CurrentUser>,
    document: &Document,
    name: &str,
) -> Result<()> {
    let waits = matches!(document.status, StatutDocument::Pending | StatutDocument::Processing);
    match user {
        Some(user) if waits && document.key() == name => {
            interventions::find(&ctx.pool, document.intervention_id, user.client_scope())
                .await
                .map(drop)
        }
        _ => Err(Error::NotFound(Noun::Fichier)),
    }
}

/// The bytes, or the part of them that was asked for, or the news that the client has them already.
async fn content(ctx: &Ctx, name: &str, stat: &Stat, headers: &HeaderMap) -> Result<Response> {
    let etag = etag(stat);
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags == "*" || tags.split(',').any(|t| t.trim().trim_start_matches("W/") == etag)
    }) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    // A range of other bytes than the client has the beginning of would be worse than all of them.
    let wanted =
        text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|tag| tag == etag));
    let ranges = wanted
        .and_then(|r| http_range_header::parse_range_header(r).ok())
        .map(|parsed| parsed.validate(stat.size));
    match ranges {
        Some(Err(_)) => {
            let unsatisfied = [(header::CONTENT_RANGE, format!("bytes */{}", stat.size))];
            Ok((StatusCode::RANGE_NOT_SATISFIABLE, unsatisfied).into_response())
        }
        Some(Ok(ranges)) if ranges.len() == 1 => {
            let (first, last) = (*ranges[0].start(), *ranges[0].end());
            let download = ctx.storage.open(name, Some(first..last + 1)).await?;
            let partial = [
                (header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", stat.size)),
                (header::CONTENT_LENGTH, (last + 1 - first).to_string()),
            ];
            Ok((StatusCode::PARTIAL_CONTENT, partial, Body::from_stream(download.stream))
                .into_response())
        }
        // Several ranges at once may be answered with all of it (RFC 9110, 14.2).
        _ => {
            let download = ctx.storage.open(name, None).await?;
            let length = [(header::CONTENT_LENGTH, download.size.to_string())];
            Ok((length, Body::from_stream(download.stream)).into_response())
        }
    }
}

fn etag(stat: &Stat) -> String {
    let opaque = stat
        .etag
        .clone()
        .unwrap_or_else(|| format!("{}-{}", stat.size, stat.last_modified.timestamp()));
    format!("\"{opaque}\"")
}

/// As its type says and nothing else: not sniffed, not run, not shared by caches.
fn headers_of(document: &Document, name: &str, stat: &Stat) -> HeaderMap {
    let original = document.key() == name;
    let inline = !original
        || documents::FileKind::from_extension(&document.extension)
            .is_some_and(documents::FileKind::served_inline);
    let content_type = if original { document.content_type.as_str() } else { "image/webp" };
    // What waits will have its metadata stripped: other bytes under the same name.
    let cache = match document.status {
        StatutDocument::Ready => "private, max-age=31536000, immutable",
        _ => "private, no-store",
    };
    let disposition = if inline { "inline" } else { "attachment" };
    let disposition =
        format!("{disposition}; filename*=UTF-8''{}", percent_encoded(&document.filename));
    let pairs = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, etag(stat)),
        (header::LAST_MODIFIED, stat.last_modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned()),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// The `ext-value` form of [RFC 8187](https://www.rfc-editor.org/rfc/rfc8187#section-3.2).
fn percent_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
