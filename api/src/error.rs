//! Why a request failed. The only place that maps the errors of the core to status codes.
use std::sync::Arc;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use erp_core::{
    Code, Error, Lang, Text,
    auth::second_factor::{self, Challenge},
    input::Fault,
    version::Difference,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::if_match::etag;

/// An error as a response without a body. The layer `envelope` adds the body, since it knows the reader's language and the
/// request's id.
#[derive(Debug, Clone)]
pub struct ApiError(Arc<Problem>);

#[derive(Debug)]
struct Problem {
    status: StatusCode,
    code: Code,
    detail: Detail,
    retry_after_seconds: Option<u64>,
}

#[derive(Debug)]
enum Detail {
    Sentence(Text),
    Faults(Vec<Fault>),
    /// A right password, with the challenge that a code answers.
    Challenge(Text, Challenge),
    /// The present version of a row, and the fields that an edit made from another version would change.
    Stale {
        text: Text,
        version: i64,
        differences: Vec<Difference>,
    },
}

/// `Retry-After` in seconds when a dependency (the database, the storage) is unavailable.
const RETRY_AFTER_OUTAGE: u64 = 5;

impl ApiError {
    /// An error that arises in HTTP itself.
    #[must_use]
    pub fn new(status: StatusCode, code: Code, text: Text) -> Self {
        Self(Arc::new(Problem {
            status,
            code,
            detail: Detail::Sentence(text),
            retry_after_seconds: None,
        }))
    }

    /// The error for a status alone, as set by the router, a layer or an extractor.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (code, fr, en) = match status {
            StatusCode::NOT_FOUND => (
                Code::RouteIntrouvable,
                "Cette adresse n'existe pas.",
                "There is nothing at this address.",
            ),
            StatusCode::METHOD_NOT_ALLOWED => (
                Code::MethodeInterdite,
                "Cette méthode n'est pas permise à cette adresse.",
                "This method is not allowed at this address.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => return Self::body_too_large(),
            StatusCode::REQUEST_TIMEOUT => (
                Code::RequeteTropLente,
                "La requête n'est pas arrivée en entier à temps : réessayez.",
                "The request did not arrive in time: try again.",
            ),
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => (
                Code::EntetesTropGrands,
                "La requête a trop d'en-têtes, ou de trop grands.",
                "The request has too many headers, or too large ones.",
            ),
            status if status.is_server_error() => (
                Code::ErreurInterne,
                "Une erreur est survenue de notre côté : réessayez, puis signalez cet identifiant de requête.",
                "Something went wrong on our side: try again, then report this request id.",
            ),
            _ => (
                Code::RequeteInvalide,
                "La requête n'a pas pu être lue.",
                "The request could not be read.",
            ),
        };
        Self::new(status, code, Text::new(fr, en))
    }

    /// 413: the body is larger than allowed.
    #[must_use]
    pub fn body_too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::CorpsTropGrand,
            Text::new(
                "La requête dépasse la taille permise.",
                "The request is larger than allowed.",
            ),
        )
    }

    /// 415: the body has another content type than the route accepts.
    #[must_use]
    pub fn content_type(expected: &str) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::TypeDeContenuRefuse,
            Text::new(
                format!("Le type de contenu attendu est {expected}."),
                format!("The expected content type is {expected}."),
            ),
        )
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The body: `{"detail", "code", "request_id"}`; for a stale version also `version` and `differences`; `defi` if a
    /// code is wanted; `message` if only a password is at fault.
    pub fn body(&self, lang: Lang, request_id: Uuid) -> Json<Value> {
        let detail = match &self.0.detail {
            Detail::Sentence(text) | Detail::Stale { text, .. } | Detail::Challenge(text, _) => {
                json!(text.in_lang(lang))
            }
            Detail::Faults(faults) => faults
                .iter()
                .map(|f| json!({"loc": f.loc, "msg": f.msg.in_lang(lang), "type": f.kind}))
                .collect(),
        };
        let mut body = json!({"detail": detail, "code": self.0.code, "request_id": request_id});
        if let Detail::Stale { version, differences, .. } = &self.0.detail {
            body["version"] = json!(version);
            body["differences"] = json!(differences);
        }
        if let Detail::Challenge(_, challenge) = &self.0.detail {
            body["defi"] = json!(challenge.clone().into_text());
        }
        if let Some(message) = self.message(lang) {
            body["message"] = json!(message);
        }
        Json(body)
    }

    /// All faults in one sentence, if they are all those of a password: pages show it as it is.
    fn message(&self, lang: Lang) -> Option<String> {
        let Detail::Faults(faults) = &self.0.detail else { return None };
        let of_password = |fault: &Fault| {
            fault.loc.last().is_some_and(|name| name == "password" || name == "new_password")
        };
        if faults.is_empty() || !faults.iter().all(of_password) {
            return None;
        }
        let said = faults.iter().map(|fault| fault.msg.in_lang(lang).trim_end_matches('.'));
        Some(format!("{}.", said.collect::<Vec<_>>().join(" ; ")))
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let text = error.text();
        let (status, code, retry_after_seconds) = match error {
            Error::NotFound(noun) => (StatusCode::NOT_FOUND, noun.not_found_code(), None),
            Error::Unauthenticated { code, .. } => (StatusCode::UNAUTHORIZED, code, None),
            Error::Forbidden { code, .. } => (StatusCode::FORBIDDEN, code, None),
            Error::Refused { code, .. } => (StatusCode::BAD_REQUEST, code, None),
            Error::Conflict { code, .. } => (StatusCode::CONFLICT, code, None),
            Error::TooLarge { code, .. } => (StatusCode::PAYLOAD_TOO_LARGE, code, None),
            Error::Unsupported { code, .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, code, None),
            Error::TooMany { code, retry_after_seconds, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, code, Some(retry_after_seconds))
            }
            Error::Stale { version, differences } => {
                return Self::stale(
                    text.unwrap_or_else(|| Text::new("", "")),
                    version,
                    differences,
                );
            }
            Error::Invalid(faults) => return Self::invalid(faults),
            Error::Unavailable { what, source } => {
                tracing::warn!(what, error = format!("{source:#}"), "unavailable");
                return Self::unavailable();
            }
            // Unexpected in a request: only jobs send mails and have leases.
            Error::Deferred(_) | Error::LeaseLost => {
                return Self::of_status(StatusCode::INTERNAL_SERVER_ERROR);
            }
            Error::Internal(error) => {
                tracing::error!(error = format!("{error:#}"), "internal error");
                return Self::of_status(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let detail = Detail::Sentence(text.unwrap_or_else(|| Text::new("", "")));
        Self(Arc::new(Problem { status, code, detail, retry_after_seconds }))
    }
}

impl ApiError {
    /// 401: the password was right, and a code must follow, with this challenge.
    #[must_use]
    pub fn code_wanted(challenge: Challenge) -> Self {
        let (code, text) = second_factor::code_wanted();
        Self(Arc::new(Problem {
            status: StatusCode::UNAUTHORIZED,
            code,
            detail: Detail::Challenge(text, challenge),
            retry_after_seconds: None,
        }))
    }

    fn invalid(faults: Vec<Fault>) -> Self {
        Self(Arc::new(Problem {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: Code::DonneesInvalides,
            detail: Detail::Faults(faults),
            retry_after_seconds: None,
        }))
    }

    fn stale(text: Text, version: i64, differences: Vec<Difference>) -> Self {
        Self(Arc::new(Problem {
            status: StatusCode::PRECONDITION_FAILED,
            code: Code::VersionPerimee,
            detail: Detail::Stale { text, version, differences },
            retry_after_seconds: None,
        }))
    }

    fn unavailable() -> Self {
        let text = Text::new(
            "Le service est momentanément indisponible : réessayez dans quelques secondes.",
            "The service is unavailable for the moment: try again in a few seconds.",
        );
        Self(Arc::new(Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: Code::ServiceIndisponible,
            detail: Detail::Sentence(text),
            retry_after_seconds: Some(RETRY_AFTER_OUTAGE),
        }))
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        if self.0.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Detail::Stale { version, .. } = &self.0.detail {
            response.headers_mut().insert(header::ETAG, etag(*version));
        }
        if let Some(seconds) = self.0.retry_after_seconds {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}
