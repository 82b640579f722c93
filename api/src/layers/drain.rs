//! Lets a client that is refused finish sending its body.
//!
//! If a server answers and closes while bytes still arrive, the kernel resets the connection, and the client often loses
//! the answer (413, 401…). nginx has the same remedy, `lingering_close`.
use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    response::Response,
};
use erp_core::Ctx;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;

/// How long a refused client may go on sending.
const PATIENCE: Duration = Duration::from_secs(5);

/// After a 4xx, reads and discards the rest of the body before the answer is sent: up to twice the size of an upload, for
/// five seconds at most.
pub async fn drain<F>(ctx: &Ctx, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return next(Request::from_parts(parts, body)).await;
    }
    let shared = Shared(Arc::new(Mutex::new(body)));
    let rest = shared.clone();
    let response = next(Request::from_parts(parts, Body::new(shared))).await;
    if response.status().is_client_error() {
        let bytes = ctx.config.uploads.max_bytes.saturating_mul(2);
        let _ = tokio::time::timeout(PATIENCE, discard(rest, bytes)).await;
    }
    response
}

async fn discard(mut body: Shared, mut bytes: u64) {
    while let Some(Ok(frame)) = body.frame().await {
        let size = frame.data_ref().map_or(0, Bytes::len);
        match bytes.checked_sub(size as u64) {
            Some(left) => bytes = left,
            None => return,
        }
    }
}

/// A body that the handler and this layer share: the layer reads what the handler has left.
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
