//! Extractors of the handlers: the caller, and input that is already parsed and checked.
mod caller;

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use erp_core::{
    Error, Result, Text,
    input::{Fault, Fields, Id, Input, Source},
    users,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;

pub use caller::{Auteur, CurrentUser, MaybeUser, Origin};

use crate::{
    ApiError,
    json::Unambiguous,
    multipart::{self, Broken},
    routes::BODY_LIMIT,
};

/// How long the body of a JSON object or a form, at most a mebibyte ([`crate::routes`]), may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);

/// The `{id}` of a path.
#[derive(Debug, Clone, Copy)]
pub struct RowId(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for RowId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(pairs) = Path::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|e| ApiError::of_status(e.status()))?;
        let Some((name, value)) = pairs.into_iter().next() else {
            return Err(ApiError::of_status(StatusCode::NOT_FOUND));
        };
        let mut fields = Fields::pairs(Source::Path, [(name.clone(), value)]);
        match fields.required::<Id>(&name) {
            Some(id) => Ok(Self(id.0)),
            None => Err(fields.into_error().into()),
        }
    }
}

/// The parameter of a path that is a text: of a job, a queue, a schedule. One with a NUL is a 404, since Postgres accepts none
/// in a text.
#[derive(Debug, Clone)]
pub struct Name(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let found = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        match found.ok().and_then(|Path(pairs)| pairs.into_iter().next()) {
            Some((_, name)) if !name.contains('\0') => Ok(Self(name)),
            _ => Err(ApiError::of_status(StatusCode::NOT_FOUND)),
        }
    }
}

/// The fields of the query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: Input> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = url_pairs(parts.uri.query().unwrap_or("").as_bytes());
        Ok(Self(Fields::pairs(Source::Query, pairs).parse()?))
    }
}

/// A JSON object.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: Input + Send + 'static> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match content_type(request.headers()).as_str() {
            "" | "application/json" => {}
            other if other.ends_with("+json") => {}
            _ => return Err(ApiError::content_type("application/json")),
        }
        let body = bytes(request, state).await?;
        Ok(Self(parse(json_fields(&body)?).await?))
    }
}

/// A form in either encoding, `application/x-www-form-urlencoded` or `multipart/form-data`; JSON is taken as well.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<S: Send + Sync, T: Input + Send + 'static> FromRequest<S> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let fields = match content_type(request.headers()).as_str() {
            "multipart/form-data" => in_time(multipart_fields(request)).await??,
            "application/json" => json_fields(&bytes(request, state).await?)?,
            "" | "application/x-www-form-urlencoded" => {
                Fields::pairs(Source::Body, url_pairs(&bytes(request, state).await?))
            }
            _ => {
                let expected = "application/x-www-form-urlencoded ou multipart/form-data";
                return Err(ApiError::content_type(expected));
            }
        };
        Ok(Self(parse(fields).await?))
    }
}

/// Reads a `T`; off the async threads if that takes much processor time.
async fn parse<T: Input + Send + 'static>(fields: Fields) -> Result<T> {
    if T::HEAVY { users::off_the_async_threads(|| fields.parse()).await? } else { fields.parse() }
}

/// The content type without its parameters, in lower case.
pub fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn url_pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let bytes = in_time(Bytes::from_request(request, state)).await?;
    bytes.map_err(|e| ApiError::of_status(e.status()))
}

/// All of a body of at most [`BODY_LIMIT`] bytes: 413 for a larger one, 408 for one that does not arrive in time.
pub async fn whole(body: Body) -> Result<Bytes, ApiError> {
    match in_time(Limited::new(body, BODY_LIMIT).collect()).await? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(ApiError::body_too_large()),
        Err(_) => Err(ApiError::of_status(StatusCode::BAD_REQUEST)),
    }
}

/// The result of `reading` a body; 408 if it takes longer than [`BODY_TIME`].
async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, ApiError> {
    let late = |_| ApiError::of_status(StatusCode::REQUEST_TIMEOUT);
    tokio::time::timeout(BODY_TIME, reading).await.map_err(late)
}

fn json_fields(body: &[u8]) -> Result<Fields> {
    match serde_json::from_slice(body) {
        Ok(Unambiguous(Value::Object(members))) => Ok(Fields::json(members)),
        Ok(_) => Err(body_fault(
            "model_attributes_type",
            "Un objet JSON est attendu.",
            "Input should be an object",
        )),
        Err(e) if e.is_data() => Err(body_fault(
            "json_invalid",
            format!(
                "Le JSON dit deux fois la même clé (ligne {}, colonne {}).",
                e.line(),
                e.column()
            ),
            format!("JSON object has a duplicate key (line {}, column {})", e.line(), e.column()),
        )),
        Err(e) => Err(body_fault(
            "json_invalid",
            format!("Le JSON est mal formé (ligne {}, colonne {}).", e.line(), e.column()),
            format!("JSON decode error (line {}, column {})", e.line(), e.column()),
        )),
    }
}

fn body_fault(kind: &'static str, fr: impl Into<String>, en: impl Into<String>) -> Error {
    Error::Invalid(vec![Fault { loc: vec!["body".to_owned()], msg: Text::new(fr, en), kind }])
}

async fn multipart_fields(request: Request) -> Result<Fields, ApiError> {
    let malformed = |why| match why {
        Broken::TooLarge => ApiError::body_too_large(),
        Broken::Malformed | Broken::Head => {
            body_fault("multipart_invalid", "Le formulaire est mal formé.", "The form is malformed")
                .into()
        }
    };
    let mut parts = multipart::Parts::read(request, BODY_LIMIT as u64).await.map_err(malformed)?;
    let mut pairs = Vec::new();
    while let Some(part) = parts.next().await.map_err(malformed)? {
        match part.name().map(ToOwned::to_owned) {
            Some(name) => pairs.push((name, part.text().await.map_err(malformed)?)),
            None => part.skip().await.map_err(malformed)?,
        }
    }
    Ok(Fields::pairs(Source::Body, pairs))
}
