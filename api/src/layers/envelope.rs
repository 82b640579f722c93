//! Gives every request its id and its log line, and every error the same shape.
use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use erp_core::{
    Lang,
    jobs::{CAUSE, Cause},
    telemetry,
};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{ApiError, console, rbac, routes::compte};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What is known of a request from its headers.
#[derive(Debug, Clone, Copy)]
pub struct RequestInfo {
    pub request_id: Uuid,
    pub lang: Lang,
}

/// Marks (in its extensions) a failed response that keeps its own body, since it says more than the envelope can.
#[derive(Debug, Clone, Copy)]
pub struct OwnBody;

/// The language of the reader of a page, once it is known who reads (in the extensions of the response): errors are said in it.
#[derive(Debug, Clone, Copy)]
pub struct ReaderLang(pub Lang);

/// Gives the request its id (that of `X-Request-ID`, if it is a UUID) for answers, logs and jobs; logs one line when it is
/// answered, for a probe that succeeds only at debug level; and turns every error (but a 416 and an [`OwnBody`]) into
/// `{"detail", "code", "request_id"}` in the reader's language.
pub async fn envelope<F>(mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let info = RequestInfo {
        request_id: request_id(request.headers()).unwrap_or_else(Uuid::now_v7),
        lang: language(request.headers()),
    };
    request.extensions_mut().insert(info);
    let span = tracing::error_span!("request", request_id = %info.request_id);
    let parent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    telemetry::adopt(&span, parent);
    CAUSE.scope(Cause(Some(info.request_id)), answer(request, next, info).instrument(span)).await
}

async fn answer<F>(request: Request, next: impl FnOnce(Request) -> F, info: RequestInfo) -> Response
where
    F: Future<Output = Response>,
{
    let (started, method) = (Instant::now(), request.method().clone());
    // The matched route, so that ids and tokens in the path do not make every line different.
    let path = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| request.uri().path().to_owned(), |p| p.as_str().to_owned());

    let mut response = with_envelope(next(request).await, info, &path);
    let id = HeaderValue::from_str(&info.request_id.to_string());
    response.headers_mut().extend(id.ok().map(|id| (X_REQUEST_ID, id)));

    let (status, duration_ms) = (
        response.status().as_u16(),
        u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    );
    if response.status().is_success() && is_probe(&path) {
        tracing::debug!(%method, path, status, duration_ms, "answered");
    } else {
        tracing::info!(%method, path, status, duration_ms, "answered");
    }
    response
}

/// Whether machines ask for this path every few seconds, so that only a failure is worth a log line.
fn is_probe(path: &str) -> bool {
    let path = rbac::at_root(path);
    matches!(path, "/health" | "/live" | "/ready" | "/metrics")
}

/// Gives a failed response the body of the contract, or a page where people see it. A success, a redirection, a 416 and an [`OwnBody`] stay as they are.
fn with_envelope(response: Response, info: RequestInfo, path: &str) -> Response {
    let status = response.status();
    let has_its_own = response.extensions().get::<OwnBody>().is_some();
    if status.is_success()
        || status.is_redirection()
        || status == StatusCode::RANGE_NOT_SATISFIABLE
        || has_its_own
    {
        return response;
    }
    let error = response
        .extensions()
        .get::<ApiError>()
        .cloned()
        .unwrap_or_else(|| ApiError::of_status(status));
    let lang =
        response.extensions().get::<ReaderLang>().map_or(info.lang, |ReaderLang(lang)| *lang);
    let (mut parts, _) = response.into_parts();
    let said = error.body(lang, info.request_id);
    let answer = if console::is_page(path) {
        let id = info.request_id.to_string();
        console::page::of_error(error.status(), lang, &said.0["detail"], &id)
    } else if rbac::is_for_people(path) {
        compte::page::of_error(error.status(), lang, &said.0["detail"])
    } else {
        said.into_response()
    };
    let (body_parts, body) = answer.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.extend(body_parts.headers);
    parts.extensions.extend(body_parts.extensions);
    parts.status = error.status();
    Response::from_parts(parts, body)
}

fn request_id(headers: &HeaderMap) -> Option<Uuid> {
    Uuid::try_parse(headers.get(X_REQUEST_ID)?.to_str().ok()?).ok()
}

/// French, unless `Accept-Language` prefers English to it.
fn language(headers: &HeaderMap) -> Lang {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()).unwrap_or("");
    let quality = |wanted: &str| {
        accepted
            .split(',')
            .filter_map(|range| {
                let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
                let primary = tag.trim().split('-').next()?.to_ascii_lowercase();
                let q =
                    parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse().ok())?;
                (primary == wanted).then_some(q)
            })
            .fold(0.0_f32, f32::max)
    };
    if quality("en") > quality("fr") { Lang::En } else { Lang::Fr }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_preferred() {
        let of = |value: &'static str| {
            language(&HeaderMap::from_iter([(
                header::ACCEPT_LANGUAGE,
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(of("en"), Lang::En);
        assert_eq!(of("en-GB,en;q=0.9,fr;q=0.5"), Lang::En);
        assert_eq!(of("fr-MA,fr;q=0.9,en;q=0.8"), Lang::Fr);
        assert_eq!(of("ar,en;q=0"), Lang::Fr);
        assert_eq!(language(&HeaderMap::new()), Lang::Fr);
    }
}
