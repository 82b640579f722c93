//! Serves files: only to readers who may see them, only once they are ready (a caller with a token may read an original
//! before), and with the content type that was checked.
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
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
    layers,
};

pub(super) fn router() -> OpenApiRouter<Ctx> {
    OpenApiRouter::new().routes(routes!(download))
}

/// A file of a document, or its preview or thumbnail, for whoever has an address that is signed (`url`, `thumbnail_url`,
/// `preview_url` of a document) or a token of somebody who may read the document. Only what is `ready` is served; while it is
/// `pending` the original is for those who come with a token.
#[utoipa::path(get, path = "/static/uploads/{file}", tag = "documents",
    params(
        ("file" = String, Path),
        ("fin" = Option<i64>, Query, description = "Until when the signature is good, in seconds since 1970."),
        ("signature" = Option<String>, Query, description = "What stands in the addresses of a document."),
    ),
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
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let reader = reader(&ctx, user, &name, uri.query().unwrap_or_default())?;
    let document = find(&ctx, &name).await?;
    may_read(&ctx, &reader, &document, &name).await?;
    let stat = ctx.storage.stat(&name).await?;
    let mut response = content(&ctx, &name, &stat, &headers).await?;
    response.headers_mut().extend(headers_of(&ctx, &reader, &document, &name, &stat));
    Ok(response)
}

/// The right by which a file is read.
enum Reader {
    User(CurrentUser),
    /// A signed address, and when it expires.
    Lien(DateTime<Utc>),
    /// A plain address, with `PUBLIC_UPLOADS=true`.
    Public,
}

/// The right of the request. It is checked before any lookup, so that a request without a right does not learn what exists.
fn reader(ctx: &Ctx, user: Option<CurrentUser>, name: &str, query: &str) -> Result<Reader> {
    match user {
        Some(user) => Ok(Reader::User(user)),
        None if ctx.config.uploads.public => Ok(Reader::Public),
        None if query.is_empty() => Err(layers::anonymous()),
        None => ctx.signed_urls.check(name, query, ctx.clock.now()).map(Reader::Lien),
    }
}

/// The document that `name` is a file of.
async fn find(ctx: &Ctx, name: &str) -> Result<Document> {
    let fichier = name.get(..36).and_then(|s| Uuid::try_parse(s).ok()).ok_or_else(absent)?;
    let document = documents::find_by_fichier(&ctx.pool, fichier).await?;
    let known = document.key() == name
        || (document.has_previews && document.keys()[1..].iter().any(|key| key == name));
    if known { Ok(document) } else { Err(absent()) }
}

/// A document that failed is never served; one that waits or is being processed is served as its original, and only to a
/// caller with a token. A refusal is a 404; so is a document of another client, unless it is ready and uploads are public.
async fn may_read(ctx: &Ctx, reader: &Reader, document: &Document, name: &str) -> Result<()> {
    let waits = matches!(document.status, StatutDocument::Pending | StatutDocument::Processing);
    let ready = document.status == StatutDocument::Ready;
    match reader {
        Reader::Lien(_) | Reader::Public if ready => Ok(()),
        Reader::User(_) if ready && ctx.config.uploads.public => Ok(()),
        Reader::User(user) if ready || waits && document.key() == name => {
            let scope = user.scope();
            match interventions::find(&ctx.pool, document.intervention_id, scope).await {
                Err(Error::NotFound(_)) => Err(absent()),
                found => found.map(drop),
            }
        }
        _ => Err(absent()),
    }
}

fn absent() -> Error {
    Error::NotFound(Noun::FICHIER)
}

/// The response with the whole file (200) or one range of it (206); 304 if the client has it already, 416 for a range that is
/// not in the file.
async fn content(ctx: &Ctx, name: &str, stat: &Stat, headers: &HeaderMap) -> Result<Response> {
    let etag = etag(stat);
    let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| {
        tags == "*" || tags.split(',').any(|t| t.trim().trim_start_matches("W/") == etag)
    }) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    // If `If-Range` names another version, the whole file is sent: a range of it would not fit the part that the client has.
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
        // Several ranges at once may be answered with the whole file (RFC 9110, 14.2).
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

/// The headers of a file: browsers take it for its declared type only and run nothing in it, and shared caches do not keep it.
fn headers_of(
    ctx: &Ctx,
    reader: &Reader,
    document: &Document,
    name: &str,
    stat: &Stat,
) -> HeaderMap {
    let original = document.key() == name;
    let inline = !original
        || documents::FileKind::from_extension(&document.extension)
            .is_some_and(documents::FileKind::served_inline);
    let content_type = if original { document.content_type.as_str() } else { "image/webp" };
    let (browsers, nginx) = kept(ctx, reader, document);
    let disposition = if inline { "inline" } else { "attachment" };
    let disposition =
        format!("{disposition}; filename*=UTF-8''{}", percent_encoded(&document.filename));
    let pairs = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, browsers),
        (X_ACCEL_EXPIRES, nginx.to_string()),
        // The address may contain a signature.
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::ETAG, etag(stat)),
        (header::LAST_MODIFIED, stat.last_modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned()),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// The header that nginx obeys for its own cache, rather than `Cache-Control`, and does not pass on.
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
/// Seconds that our own proxy may keep a file before it asks again: a removed document is served for no longer than that.
const PROXY_SECONDS: i64 = 60;

/// The `Cache-Control` for browsers, and the seconds for our own proxy: neither keeps the file beyond the right to read it.
fn kept(ctx: &Ctx, reader: &Reader, document: &Document) -> (String, i64) {
    // Processing will strip its metadata: the bytes under this name will change.
    if document.status != StatutDocument::Ready {
        return ("private, no-store".to_owned(), 0);
    }
    match reader {
        _ if ctx.config.uploads.public => {
            ("private, max-age=31536000, immutable".to_owned(), PROXY_SECONDS)
        }
        Reader::Lien(fin) => {
            let left = (*fin - ctx.clock.now()).num_seconds();
            // The proxy repeats this `max-age` unchanged for up to `PROXY_SECONDS`.
            let browsers = (left - PROXY_SECONDS).max(0);
            (format!("private, max-age={browsers}, immutable"), left.min(PROXY_SECONDS))
        }
        // All users of a browser share this address: it must ask again each time, with the token of its present user.
        Reader::User(_) | Reader::Public => ("private, no-cache".to_owned(), 0),
    }
}

/// The `ext-value` form of [RFC 8187](https://www.rfc-editor.org/rfc/rfc8187#section-3.2).
pub(crate) fn percent_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
        .replace('*', "%2A")
}
