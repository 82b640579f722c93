//! Extractors of the handlers: the caller, and input that is already parsed and checked.
use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, Path, Request},
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
};
use erp_core::{
    Ctx, Error, Result, Text, audit,
    auth::{self, api_keys::KeyHolder},
    input::{Fault, Fields, Id, Input, Source},
    interventions::Actor,
    scope::{Reach, Scope},
    techniciens,
    users::{self, Account, UserRole},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    ApiError,
    json::Unambiguous,
    layers::ClientAddress,
    multipart::{self, Broken},
    routes::BODY_LIMIT,
};

/// The authenticated caller. Only routes that [`crate::rbac`] protects can take one; on any other it is a 403.
#[derive(Debug, Clone)]
pub struct CurrentUser {
    pub id: i64,
    pub role: UserRole,
    client_id: Option<i64>,
    proof: Proof,
}

/// What identifies a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// An access token, of this session.
    Session(Uuid),
    /// This API key.
    ApiKey(Uuid),
    /// The secret in an address.
    Address,
}

/// The caller that the secret in an address identifies.
impl From<Account> for CurrentUser {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            role: account.role,
            client_id: account.client_id,
            proof: Proof::Address,
        }
    }
}

/// The caller that an access token identifies.
impl From<auth::Caller> for CurrentUser {
    fn from(caller: auth::Caller) -> Self {
        let auth::Caller { id, role, client_id, session, must_enrol: _ } = caller;
        Self { id, role, client_id, proof: Proof::Session(session) }
    }
}

/// The caller that an API key identifies.
impl From<KeyHolder> for CurrentUser {
    fn from(holder: KeyHolder) -> Self {
        let auth::Caller { id, role, client_id, session: key, must_enrol: _ } = holder.caller;
        Self { id, role, client_id, proof: Proof::ApiKey(key) }
    }
}

impl CurrentUser {
    /// The session of the caller's access token. A 401 for a caller without one.
    pub fn session(&self) -> Result<Uuid> {
        match self.proof {
            Proof::Session(session) => Ok(session),
            Proof::ApiKey(_) | Proof::Address => Err(auth::session_ended()),
        }
    }

    /// The session or the API key of the request, as the audit records it.
    fn audited(&self) -> Option<Uuid> {
        match self.proof {
            Proof::Session(id) | Proof::ApiKey(id) => Some(id),
            Proof::Address => None,
        }
    }

    /// Whose rows the caller sees.
    pub fn scope(&self) -> Scope {
        match (self.role, self.client_id) {
            (UserRole::Client, Some(id)) => Scope::Client(id),
            (UserRole::Client, None) => Scope::Nothing,
            _ => Scope::All,
        }
    }

    /// Whose documents and lots the caller may change.
    pub fn reach(&self) -> Reach {
        if self.role == UserRole::Technicien { Reach::Own(self.id) } else { Reach::All }
    }

    /// Whether the caller is a client, not staff: then of staff only the name and the function are shown.
    pub fn is_outside(&self) -> bool {
        self.role == UserRole::Client
    }

    /// The caller as the author of changes to interventions. A 403 for a user with the role technicien who has no technicien
    /// record yet.
    pub async fn actor(&self, ctx: &Ctx) -> Result<Actor> {
        let technicien_id = match self.role {
            UserRole::Technicien => {
                let own = techniciens::find_by_user(&ctx.pool, self.id).await?;
                Some(own.ok_or_else(techniciens::without_record)?)
            }
            _ => None,
        };
        Ok(Actor { user_id: self.id, technicien_id })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // Absent only if the table of roles lacks the route or leaves it open: then the request is refused.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Error::forbidden().into())
    }
}

/// The author of what a request does, as the audit records it.
#[derive(Debug, Clone)]
pub struct Auteur(pub audit::Auteur);

impl FromRequestParts<Ctx> for Auteur {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, ctx).await?;
        let user = parts.extensions.get::<CurrentUser>();
        Ok(Self(audit::Auteur {
            user_id: user.map(|user| user.id),
            session: user.and_then(CurrentUser::audited),
            adresse: Some(address.to_string()),
        }))
    }
}

/// The address and program that a session is opened from.
#[derive(Debug, Clone)]
pub struct Origin(pub auth::Origin);

impl FromRequestParts<Ctx> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, ctx: &Ctx) -> Result<Self, ApiError> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, ctx).await?;
        let user_agent = parts.headers.get(header::USER_AGENT).map(HeaderValue::as_bytes);
        Ok(Self(auth::Origin::new(address, user_agent)))
    }
}

/// How long the body of a JSON object or a form, at most a mebibyte ([`crate::routes`]), may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);

/// The caller, on a route that may also be called without signing in.
#[derive(Debug, Clone)]
pub struct MaybeUser(pub Option<CurrentUser>);

impl<S: Send + Sync> FromRequestParts<S> for MaybeUser {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(parts.extensions.get().cloned()))
    }
}

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
