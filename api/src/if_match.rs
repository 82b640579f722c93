//! `If-Match`: an edit that names the version it was made from is refused if the row has been changed since
//! ([RFC 9110 §13.1.1](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1)). The tag of a version is strong and names the state
//! of the row, not the bytes of an answer: fields computed for the reader (`en_retard`, signed addresses) do not change it.
//!
//! A handler of a PUT or a PATCH takes an [`IfMatch`], reads the row under its lock, edits it and calls [`IfMatch::judge`] before
//! it commits. The [`layer`] reads the header, and reports a handler that does not call it. [`EXCEPTIONS`] check no version.
use axum::{
    Json,
    extract::{FromRequestParts, MatchedPath, Request},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use erp_core::{
    Code, Ctx, Error, Result, Text,
    input::Fault,
    version::{Condition, Versioned},
};

use crate::{ApiError, rbac};

/// Edits (PUT, PATCH) that check no version, and why they need none.
pub const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("PUT", "/notifications/{id}/read", "what was read is read, whatever else has changed"),
    ("PATCH", "/users/{id}/activate", "an account that works works, whatever else has changed"),
];

/// The versions that an edit may have been made from.
#[derive(Debug, Clone, Default)]
pub struct IfMatch(Condition);

impl IfMatch {
    /// The condition of a form, which says the version that it showed; none without one.
    pub fn of(version: Option<i64>) -> Self {
        Self(version.map_or_else(Condition::none, |version| Condition::one_of(vec![version])))
    }

    /// Returns `new`, the row after the edit, if the edit may stand; otherwise a 412, and the transaction must not commit. `old` is
    /// the row before the edit, read under its lock.
    pub fn judge<T: Versioned>(&self, old: &T, new: T) -> Result<T> {
        self.0.judge(old, new)
    }

    /// The same for an edit that also gives `secrets` new values: fields that no answer shows. A 412 lists only their names.
    pub fn judge_with<T: Versioned>(&self, old: &T, new: T, secrets: &[&str]) -> Result<T> {
        self.0.judge_with(old, new, secrets)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// One row as JSON, with the tag of its version.
pub struct Tagged<T>(pub T);

impl<T: Versioned> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, etag(self.0.version()))], Json(self.0)).into_response()
    }
}

/// The tag of a version.
#[must_use]
pub fn etag(version: i64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Passes the condition of a PUT or a PATCH to its handler. 428 if there is none and `REQUIRE_IF_MATCH` is set.
pub async fn layer<F>(ctx: &Ctx, mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let Some(path) = path(&request) else { return next(request).await };
    let condition = match condition(request.headers()) {
        Ok(Some(condition)) => condition,
        Ok(None) if ctx.config.http.require_if_match => return required().into_response(),
        Ok(None) => Condition::none(),
        Err(error) => return ApiError::from(error).into_response(),
    };
    request.extensions_mut().insert(IfMatch(condition.clone()));
    let response = next(request).await;
    if response.status().is_success() && !condition.was_judged() {
        tracing::error!(path, "an edit that does not look at If-Match");
        debug_assert!(condition.was_judged(), "{path} takes no If-Match, and is no exception");
    }
    response
}

/// The route of an edit that checks versions, without `/api/v1`. `None` for any other request.
fn path(request: &Request) -> Option<String> {
    let (method, path) = (request.method(), request.extensions().get::<MatchedPath>()?.as_str());
    let edits = [Method::PUT, Method::PATCH].contains(method);
    let known = edits && rbac::access(method, path).is_some();
    let path = rbac::at_root(path);
    (known && !is_excepted(method.as_str(), path)).then(|| path.to_owned())
}

/// Whether an edit is one of [`EXCEPTIONS`]; `path` is without `/api/v1`.
#[must_use]
pub fn is_excepted(method: &str, path: &str) -> bool {
    EXCEPTIONS.iter().any(|excepted| (excepted.0, excepted.1) == (method, path))
}

/// The condition in the header; `None` if there is no header.
fn condition(headers: &HeaderMap) -> Result<Option<Condition>> {
    let values: Vec<&[u8]> =
        headers.get_all(header::IF_MATCH).iter().map(HeaderValue::as_bytes).collect();
    if values.is_empty() {
        return Ok(None);
    }
    let all = values.join(&b',');
    if all.trim_ascii() == b"*" {
        return Ok(Some(Condition::none()));
    }
    versions(&all).map(|versions| Some(Condition::one_of(versions))).ok_or_else(malformed)
}

/// The versions that a list of tags names; `None` if `rest` is not such a list. Tags that are not ours match nothing. A weak tag
/// counts as the strong one: proxies that compress an answer weaken its tag, and ours names the row, not the bytes.
fn versions(mut rest: &[u8]) -> Option<Vec<i64>> {
    let (mut versions, mut tags) = (Vec::new(), 0);
    loop {
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() {
            return (tags > 0).then_some(versions);
        }
        rest = rest.strip_prefix(b"W/").unwrap_or(rest).strip_prefix(b"\"")?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = rest.split_at(end);
        if !tag.iter().all(|byte| matches!(byte, b'!'..=b'~' | 0x80..)) {
            return None;
        }
        tags += 1;
        let named = std::str::from_utf8(tag).ok().and_then(|tag| tag.parse::<i64>().ok());
        let ours = named.filter(|version| version.to_string().as_bytes() == tag);
        versions.extend(ours);
        rest = after.get(1..)?;
        // Only a comma or the end may follow a tag.
        if !matches!(rest.trim_ascii_start(), [] | [b',', ..]) {
            return None;
        }
    }
}

fn malformed() -> Error {
    let loc = vec!["header".to_owned(), "If-Match".to_owned()];
    let msg = Text::new(
        "Une version entre guillemets est attendue, par exemple \"3\", ou *.",
        "A version in quotes is expected, for instance \"3\", or *",
    );
    Error::Invalid(vec![Fault { loc, msg, kind: "if_match_invalid" }])
}

fn required() -> ApiError {
    ApiError::new(
        StatusCode::PRECONDITION_REQUIRED,
        Code::VersionRequise,
        Text::new(
            "Dites de quelle version part votre modification : l'en-tête If-Match porte l'ETag, ou le champ version entre guillemets, de la fiche que vous avez lue.",
            "Say which version your edit was made from: the header If-Match has the ETag, or the field version in quotes, of what you have read.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_letter_by_letter() {
        for (text, expected) in [
            (r#""3""#, Some(vec![3])),
            (r#"  "3" ,"4","" , "#, Some(vec![3, 4])),
            (r#"W/"3", "4""#, Some(vec![3, 4])),
            (r#""a,b", "5""#, Some(vec![5])),
            (r#""03", "+3", " 3""#, None),
            (r#""03", "+3", "é""#, Some(vec![])),
            ("3", None),
            ("", None),
            (",", None),
            (r#""3"#, None),
            (r#""3""4""#, None),
            (r#""3" 4"#, None),
            (r#"*, "3""#, None),
            (r#"w/"3""#, None),
        ] {
            assert_eq!(versions(text.as_bytes()), expected, "{text}");
        }
    }
}
