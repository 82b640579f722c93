//! `Idempotency-Key`: a POST that names itself has its effect once, however often it is sent (the words are those of the IETF
//! draft *The Idempotency-Key HTTP Header Field*).
//!
//! A handler of a POST takes a [`Once`], begins its transaction by it and answers by the [`Effect`] that it gets: the answer is
//! kept in that transaction. The [`layer()`] answers repeats, and notices a handler that commits in another way. [`EXCEPTIONS`]
//! are the routes without.
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
    Ctx, Error, Result, Text, Tx,
    idempotence::{Demande, MOST_BYTES, Reponse},
    input::Fault,
    keys::{Fingerprint, Liens},
};
use serde::Serialize;
use serde_json::Value;

pub use layer::layer;

use crate::ApiError;

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` on an answer that was given before.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// POSTs that take no key, and why none is needed. What they answer with is never stored.
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
    ("/desabonnement", "has no user; who has left the list leaves it again"),
];

/// What a POST is known by, when it named itself.
#[derive(Debug, Clone, Default)]
pub struct Once(Option<Arc<Named>>);

#[derive(Debug, Clone)]
struct Named {
    demande: Demande,
    empreinte: Fingerprint,
    /// The answer that was given before to a request of this name; not compared with this one yet.
    kept: Option<Reponse>,
    /// Whether the body goes to the handler as it comes, which then tells what was in it.
    streamed: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

/// What a streamed request turned out to be.
pub enum Told {
    New(Once),
    /// One that was answered before: this is the answer.
    Again(Response),
}

impl Once {
    /// Begins the transaction of the effect. 409 while the same request is being dealt with.
    pub async fn begin(&self, ctx: &Ctx) -> Result<Effect> {
        let (mut tx, now) = (ctx.begin().await?, ctx.clock.now());
        if let Some(named) = &self.0 {
            if named.streamed {
                return Err(anyhow!("{}: nobody told its content", named.demande.route).into());
            }
            named.demande.hold(&mut tx, now).await?;
        }
        Ok(Effect { tx, once: self.clone(), now })
    }

    /// Whether a request of this name was answered before: then what is true now (a quota, a row that is gone) is no
    /// reason to refuse it.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.0.as_ref().is_some_and(|named| named.kept.is_some())
    }

    /// Tells what was in a body that was streamed, in an order that is always the same. 422 when a request of this name had
    /// something else in it.
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

    /// The answer to a request that asked for no effect. It is not kept.
    pub fn without_effect(&self, body: &impl Serialize) -> Result<Response, ApiError> {
        Ok(answered(StatusCode::OK, Some(json(body)?)))
    }
}

impl Named {
    /// The answer `kept`, if it is one to this very request.
    fn replay(&self, ctx: &Ctx, kept: &Reponse) -> Result<Response, ApiError> {
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

    /// Whether its answer has addresses in it that open files: these are secrets.
    fn has_signatures(&self) -> bool {
        self.demande.route.starts_with("POST /documents")
    }

    /// The body as it is stored: without secrets.
    fn closed(&self, body: &str) -> Result<String> {
        if !self.has_signatures() {
            return Ok(body.to_owned());
        }
        let mut body: Value = serde_json::from_str(body).map_err(anyhow::Error::from)?;
        Liens::unsign(&mut body);
        Ok(body.to_string())
    }

    /// The stored body as it is answered.
    fn opened(&self, ctx: &Ctx, body: String) -> Result<String> {
        if !self.has_signatures() {
            return Ok(body);
        }
        let mut body: Value = serde_json::from_str(&body).map_err(anyhow::Error::from)?;
        ctx.liens.sign_again(&mut body, ctx.clock.now());
        Ok(body.to_string())
    }
}

/// The transaction of what a POST does. It ends with the answer: dropped before, nothing has happened, and the key is free.
pub struct Effect {
    tx: Tx<'static>,
    once: Once,
    now: DateTime<Utc>,
}

impl Effect {
    /// Makes the effect durable, and with it the answer.
    pub async fn answer(
        self,
        status: StatusCode,
        body: &impl Serialize,
    ) -> Result<Response, ApiError> {
        self.end(status, Some(json(body)?)).await
    }

    /// The same, of an answer without a body.
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
                Reponse { empreinte: named.empreinte.bytes(), statut: status.as_u16(), corps };
            named.demande.keep(&mut self.tx, &kept, self.now).await?;
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

/// In the extensions of an answer that an [`Effect`] or a [`Once`] gave.
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
        "reponse_non_gardee",
        "Cette demande a bien eu son effet ; sa réponse était trop grande pour être gardée : relisez ce qu'elle a changé.",
        "This request has had its effect; its answer was too large to be kept: read again what it changed.",
    )
}
