//! How a file goes out: only what is ready, to those who may see it, as what it was checked to be.
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

/// By which right somebody reads a file.
enum Reader {
    User(CurrentUser),
    /// Whoever has an address that is signed, until it ends.
    Lien(DateTime<Utc>),
    /// Whoever has a plain address, where the operator wants it so.
    Public,
}

/// Who asks, before anything is looked up: without a right nobody learns what there is.
fn reader(ctx: &Ctx, user: Option<CurrentUser>, name: &str, query: &str) -> Result<Reader> {
    match user {
        Some(user) => Ok(Reader::User(user)),
        None if ctx.config.uploads.public => Ok(Reader::Public),
        None if query.is_empty() => Err(layers::anonymous()),
        None => ctx.liens.check(name, query, ctx.clock.now()).map(Reader::Lien),
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

/// What could not be decoded is never served, and what waits is served to those alone who come with a token. A document of
/// somebody else is not there.
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
        // The address may have a signature in it.
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::ETAG, etag(stat)),
        (header::LAST_MODIFIED, stat.last_modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox".to_owned()),
    ];
    pairs.into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect()
}

/// What nginx goes by for its own cache, before `Cache-Control`, and passes on to nobody.
const X_ACCEL_EXPIRES: HeaderName = HeaderName::from_static("x-accel-expires");
/// So many seconds the proxy of the house may keep a file, and then asks again: a document that was removed is not served for
/// longer.
const PROXY_SECONDS: i64 = 60;

/// How long browsers keep the file, and how many seconds our own proxy does: neither past the end of the right to read it.
fn kept(ctx: &Ctx, reader: &Reader, document: &Document) -> (String, i64) {
    // What waits will have its metadata stripped: other bytes under the same name.
    if document.status != StatutDocument::Ready {
        return ("private, no-store".to_owned(), 0);
    }
    match reader {
        _ if ctx.config.uploads.public => {
            ("private, max-age=31536000, immutable".to_owned(), PROXY_SECONDS)
        }
        Reader::Lien(fin) => {
            let left = (*fin - ctx.clock.now()).num_seconds();
            // The proxy hands it out for a while with the age that it had here.
            let browsers = (left - PROXY_SECONDS).max(0);
            (format!("private, max-age={browsers}, immutable"), left.min(PROXY_SECONDS))
        }
        // The address is the same for everybody who uses this browser: it asks again each time, who it is included.
        Reader::User(_) | Reader::Public => ("private, no-cache".to_owned(), 0),
    }
}

/// The `ext-value` form of [RFC 8187](https://www.rfc-editor.org/rfc/rfc8187#section-3.2).
fn percent_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
