//! The layer around the handler of a POST: reads its `Idempotency-Key`, answers repeats, and checks how the handler answered.
use std::sync::Arc;

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method},
    response::{IntoResponse as _, Response},
};
use erp_core::{Ctx, Result, idempotence::KeyedRequest};

use super::{Answered, EXCEPTIONS, IDEMPOTENCY_KEY, Named, Once, fault};
use crate::{
    ApiError,
    extract::{CurrentUser, content_type, whole},
    rbac,
};

/// Answers a POST that was answered before with the kept answer, and hands any other to its handler with a [`Once`].
pub async fn layer<F>(ctx: &Ctx, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let Some(path) = path(&request) else { return next(request).await };
    let response = match begin(ctx, &path, request).await {
        Ok(Begun::New(request)) => next(request).await,
        Ok(Begun::Again(response)) => return response,
        Err(error) => return error.into_response(),
    };
    if response.status().is_success() && response.extensions().get::<Answered>().is_none() {
        tracing::error!(path, "a POST that takes no Idempotency-Key");
        debug_assert!(
            false,
            "POST {path} answers otherwise than by an Effect, and is no exception"
        );
    }
    response
}

/// The route of a POST that takes a key, without `/api/v1`. `None` for any other request.
fn path(request: &Request) -> Option<String> {
    let path = request.extensions().get::<MatchedPath>()?.as_str();
    let known = *request.method() == Method::POST && rbac::access(&Method::POST, path).is_some();
    let path = rbac::at_root(path);
    let excepted = EXCEPTIONS.iter().any(|(excepted, _)| *excepted == path);
    (known && !excepted).then(|| path.to_owned())
}

/// POSTs whose handlers read a file as a stream, and call [`Once::tell`].
const STREAMED: [&str; 2] = ["/documents", "/documents/upload"];

enum Begun {
    New(Request),
    Again(Response),
}

async fn begin(ctx: &Ctx, path: &str, request: Request) -> Result<Begun, ApiError> {
    let (mut parts, body) = request.into_parts();
    let cle = key(&parts.headers)?;
    let user = parts.extensions.get::<CurrentUser>();
    let (Some(cle), Some(user)) = (cle, user) else {
        parts.extensions.insert(Once::default());
        return Ok(Begun::New(Request::from_parts(parts, body)));
    };
    let keyed = KeyedRequest { user_id: user.id, route: format!("POST {path}"), cle };
    let kept = keyed.answered(&ctx.pool, ctx.clock.now()).await?;
    let empreinte = ctx
        .fingerprints
        .begin()
        .and(parts.uri.path().as_bytes())
        .and(parts.uri.query().unwrap_or_default().as_bytes());

    // A file may be large, and the multipart boundary differs each time: the handler tells the content instead of the bytes.
    if STREAMED.contains(&path) && content_type(&parts.headers) == "multipart/form-data" {
        let named = Named { keyed, empreinte, kept, streamed: true };
        parts.extensions.insert(Once(Some(Arc::new(named))));
        return Ok(Begun::New(Request::from_parts(parts, body)));
    }
    let bytes = whole(body).await?;
    let named = Named { keyed, empreinte: empreinte.and(&bytes), kept, streamed: false };
    if let Some(kept) = &named.kept {
        return Ok(Begun::Again(named.replay(ctx, kept)?));
    }
    parts.extensions.insert(Once(Some(Arc::new(named))));
    Ok(Begun::New(Request::from_parts(parts, Body::from(bytes))))
}

/// The key in the request's header, if there is one. 422 for a malformed key, or for several.
fn key(headers: &HeaderMap) -> Result<Option<String>> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if values.next().is_some() || !(1..=255).contains(&text.len()) || !visible {
        return Err(fault(
            "idempotency_key_invalid",
            "Une seule clé est attendue, de 1 à 255 caractères ASCII visibles : par exemple un UUID.",
            "One key of 1 to 255 visible ASCII characters is expected, for instance a UUID",
        ));
    }
    Ok(Some(text.to_owned()))
}
