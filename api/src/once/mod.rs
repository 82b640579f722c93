//! `Idempotency-Key`: a POST that carries a key has its effect once, however often it is sent (the terms are those of the IETF
//! draft *The Idempotency-Key HTTP Header Field*).
//!
//! A handler of a POST takes a [`Once`], begins its transaction with it, and answers through the [`Effect`] that it gets: the answer
//! is kept in that transaction. The [`layer()`] answers repeats, and reports a handler that succeeds in another way. [`EXCEPTIONS`]
//! lists the routes that take no key.
mod layer;

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
};

use anyhow::anyhow;
use axum::{
    extract::FromRequestParts,
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, Utc};
use erp_core::{
    Code, Ctx, Error, Result, Text, Tx,
    idempotence::{KeptResponse, KeyedRequest, MOST_BYTES},
    input::Fault,
    keys::{Fingerprint, SignedUrls},
};
use serde::Serialize;
use serde_json::Value;

pub use layer::layer;

use crate::ApiError;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` on a kept answer that is sent again.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// POSTs that take no key, and why they need none. Their answers are never stored.
pub const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "/auth/token",
        "answers with tokens; one more sign-in is a session that its owner sees and ends",
    ),
    (
        "/auth/login",
        "answers with tokens; one more sign-in is a session that its owner sees and ends",
    ),
    (
        "/auth/refresh",
        "answers with tokens; sent again within ten seconds it gives the same refresh token",
    ),
    ("/auth/logout", "a session ends once: sent again it is a 401"),
    (
        "/auth/change-password",
        "holds passwords; every token of before is worthless then: sent again it is a 401",
    ),
    (
        "/users/me/calendrier",
        "answers with a secret; sent again it makes another, and ends the one whose answer was lost",
    ),
    (
        "/auth/api-keys",
        "answers with a secret; sent again it makes another, which its owner sees and revokes",
    ),
    ("/rapports", "sent again within a minute it is answered with the same report"),
    (
        "/rapports/{id}/lien",
        "answers with a secret; sent again it makes another, which ends with the file",
    ),
    ("/rapports/{id}/relancer", "sent again while the report is being made it is a 409"),
    ("/users/me/export", "sent again it joins the file that is being made"),
    ("/auth/second-factor", "answers with tokens; a code is good once"),
    (
        "/auth/second-factor/enrol",
        "holds a password, answers with a secret; sent again it makes another, and ends the one whose answer was lost",
    ),
    ("/auth/second-factor/confirm", "answers with secrets; a code is good once"),
    ("/auth/second-factor/codes", "holds a password, answers with secrets; a code is good once"),
    ("/auth/forgot", "has no user; an account gets at most three links within an hour"),
    ("/compte/oubli", "as /auth/forgot"),
    ("/compte/mot-de-passe", "holds a password; the link is good once"),
    ("/compte/invitation", "holds a password; the link is good once"),
    ("/auth/link", "answers with tokens; the secret is good once"),
    ("/desabonnement", "has no user; who has left the list leaves it again"),
];

/// The identity of a POST that carries a key; empty for one without.
#[derive(Debug, Clone, Default)]
pub struct Once(Option<Arc<Named>>);

#[derive(Debug, Clone)]
struct Named {
    keyed: KeyedRequest,
    empreinte: Fingerprint,
    /// The kept answer to an earlier request with this key. Whether that was the same request is not checked yet.
    kept: Option<KeptResponse>,
    /// Whether the handler reads the body as a stream, and must call [`Once::tell`] before [`Once::begin`].
    streamed: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// What [`Once::tell`] found out about a streamed request.
pub enum Told {
    New(Once),
    /// The request was answered before, with this answer.
    Again(Response),
}

impl Once {
    /// Begins the transaction of the effect. 409 if a request with the same key is under way, or has just been answered.
    pub async fn begin(&self, ctx: &Ctx) -> Result<Effect> {
        let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
        if let Some(named) = &self.0 {
            if named.streamed {
                return Err(anyhow!("{}: nobody told its content", named.keyed.route).into());
            }
            named.keyed.hold(&mut tx, now).await?;
        }
        Ok(Effect { tx, once: self.clone(), now })
    }

    /// Whether a request with this key was answered before. Such a request must not be refused for the present state (a quota,
    /// a row that is gone).
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.as_ref().is_some_and(|named| named.kept.is_some())
    }

    /// Adds the content of a streamed body, always in the same order, to what the request is compared by. 422 if the key was used
    /// for other content; 409 if the answer was too large to be kept.
    pub fn tell(self, ctx: &Ctx, content: &[&str]) -> Result<Told, ApiError> {
        let Some(named) = self.0 else { return Ok(Told::New(self)) };
        let mut named = Arc::unwrap_or_clone(named);
        named.streamed = false;
        for part in content {
            named.empreinte = named.empreinte.and(part.as_bytes());
        }
        match &named.kept {
            Some(kept) => Ok(Told::Again(named.replay(ctx, kept)?)),
            None => Ok(Told::New(Self(Some(Arc::new(named))))),
        }
    }

    /// The 200 for a request that asked for no effect (a preview). The answer is not kept.
    pub fn without_effect(&self, body: &impl Serialize) -> Result<Response, ApiError> {
        Ok(answered(StatusCode::OK, Some(json(body)?)))
    }
}

impl Named {
    /// The kept answer as a response. 422 if it belongs to another request, 409 if its body was too large to be kept.
    fn replay(&self, ctx: &Ctx, kept: &KeptResponse) -> Result<Response, ApiError> {
        if !self.empreinte.is(&kept.empreinte) {
            return Err(fault(
                "idempotency_key_reused",
                "Cette clé a déjà servi à une autre demande : prenez-en une nouvelle.",
                "This key was used for another request: take a new one",
            )
            .into());
        }
        let Some(corps) = kept.corps.clone() else { return Err(not_kept().into()) };
        let status = StatusCode::from_u16(kept.statut).unwrap_or(StatusCode::OK);
        let corps = if corps.is_empty() { None } else { Some(self.opened(ctx, corps)?) };
        let mut response = answered(status, corps);
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        Ok(response)
    }

    /// Whether its answer contains signed addresses, which open files and are therefore secrets.
    fn has_signatures(&self) -> bool {
        self.keyed.route.starts_with("POST /documents")
    }

    /// The body as it is stored: without the signatures.
    fn closed(&self, body: &str) -> Result<String> {
        if !self.has_signatures() {
            return Ok(body.to_owned());
        }
        let mut body: Value = serde_json::from_str(body).map_err(anyhow::Error::from)?;
        SignedUrls::unsign(&mut body);
        Ok(body.to_string())
    }

    /// The stored body as it is sent: with new signatures.
    fn opened(&self, ctx: &Ctx, body: String) -> Result<String> {
        if !self.has_signatures() {
            return Ok(body);
        }
        let mut body: Value = serde_json::from_str(&body).map_err(anyhow::Error::from)?;
        ctx.signed_urls.sign_again(&mut body, ctx.clock.now());
        Ok(body.to_string())
    }
}

/// The transaction of what a POST does, committed together with the answer. Dropped without an answer, it changes nothing and
/// the key stays free.
pub struct Effect {
    tx: Tx<'static>,
    once: Once,
    now: DateTime<Utc>,
}

impl Effect {
    /// Commits the effect together with the answer.
    pub async fn answer(
        self,
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Response, ApiError> {
        self.end(status, Some(json(body)?)).await
    }

    /// The same, for an answer without a body.
    pub async fn answer_empty(self, status: StatusCode) -> Result<Response, ApiError> {
        self.end(status, None).await
    }

    async fn end(mut self, status: StatusCode, body: Option<String>) -> Result<Response, ApiError> {
        if let Some(named) = &self.once.0 {
            let corps = named.closed(body.as_deref().unwrap_or_default());
            let corps = match &body {
                Some(_) => Some(corps?).filter(|corps| corps.len() <= MOST_BYTES),
                None => Some(String::new()),
            };
            let kept =
                KeptResponse { empreinte: named.empreinte.bytes(), statut: status.as_u16(), corps };
            named.keyed.keep(&mut self.tx, &kept, self.now).await?;
        }
        self.tx.commit().await?;
        Ok(answered(status, body))
    }
}

impl Deref for Effect {
    type Target = Tx<'static>;

    fn deref(&self) -> &Tx<'static> {
        &self.tx
    }
}

impl DerefMut for Effect {
    fn deref_mut(&mut self) -> &mut Tx<'static> {
        &mut self.tx
    }
}

/// Marks (in its extensions) a response that was made by an [`Effect`] or a [`Once`].
#[derive(Clone, Copy)]
struct Answered;

fn answered(status: StatusCode, json: Option<String>) -> Response {
    let mut response = match json {
        Some(json) => (status, [(header::CONTENT_TYPE, "application/json")], json).into_response(),
        None => status.into_response(),
    };
    response.extensions_mut().insert(Answered);
    response
}

fn json(body: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(body).map_err(anyhow::Error::from)?)
}

fn fault(kind: &'static str, fr: &str, en: &str) -> Error {
    let loc = vec!["header".to_owned(), "Idempotency-Key".to_owned()];
    Error::Invalid(vec![Fault { loc, msg: Text::new(fr, en), kind }])
}

fn not_kept() -> Error {
    Error::conflict(
        Code::ReponseNonGardee,
        "Cette demande a bien eu son effet ; sa réponse était trop grande pour être gardée : relisez ce qu'elle a changé.",
        "This request has had its effect; its answer was too large to be kept: read again what it changed.",
    )
}
