//! Reads multipart bodies within bounds: on the whole, on the number of parts and on the head of each.
//!
//! axum's reader (`multer`) bounds neither the head of a part nor the number of parts, buffers all that has arrived, and
//! searches the whole buffer again whenever a byte arrives: ninety megabytes in one head cost half a minute of processor time.
//! It is used all the same, since it knows how browsers write forms; its input is counted here, so that its buffer stays small.
use std::{
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::{FromRequest as _, Multipart, Request, multipart::Field},
    http::{HeaderMap, header},
};
use futures_util::Stream;

/// The most bytes before a part's content: the boundary and the headers.
const HEAD_BYTES: usize = 8 * 1024;
/// More parts than any form here has.
const MOST_PARTS: usize = 32;
/// The most bytes of the `Content-Type`: a boundary has 70 characters at the most (RFC 2046), and the body is searched for it.
const CONTENT_TYPE_BYTES: usize = 256;
/// The most bytes of a body that the reader gets at once.
const SLICE_BYTES: usize = 16 * 1024;

/// Why a body is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("malformed, or broken off")]
    Malformed,
    #[error("the head of a part is too large")]
    Head,
    #[error("the body is too large")]
    TooLarge,
}

/// A multipart body, part by part.
pub struct Parts {
    reader: Multipart,
    count: Arc<Count>,
    seen: usize,
}

/// Counts what the reader has been given, and how much it may still get.
#[derive(Debug)]
struct Count {
    received: AtomicU64,
    /// Bytes that the head of the next part may still take; `usize::MAX` (no bound) while content is read.
    head_left: AtomicUsize,
    broken: OnceLock<Broken>,
}

impl Count {
    fn why(&self) -> Broken {
        self.broken.get().copied().unwrap_or(Broken::Malformed)
    }
}

impl Parts {
    /// The parts of `request`. A body of more than `most` bytes, of whatever kind, is [`Broken::TooLarge`].
    pub async fn read(request: Request, most: u64) -> Result<Self, Broken> {
        let (parts, body) = request.into_parts();
        if announced(&parts.headers).is_some_and(|length| length > most) {
            return Err(Broken::TooLarge);
        }
        if parts.headers.get(header::CONTENT_TYPE).is_none_or(|v| v.len() > CONTENT_TYPE_BYTES) {
            return Err(Broken::Malformed);
        }
        let count = Arc::new(Count {
            received: AtomicU64::new(0),
            head_left: AtomicUsize::new(HEAD_BYTES),
            broken: OnceLock::new(),
        });
        let body = body.into_data_stream();
        let counted = Counted { body, most, rest: Bytes::new(), gave: false, count: count.clone() };
        let request = Request::from_parts(parts, Body::from_stream(counted));
        let reader = Multipart::from_request(request, &()).await;
        Ok(Self { reader: reader.map_err(|_| Broken::Malformed)?, count, seen: 0 })
    }

    /// The next part; `None` at the end. The previous part must have been read to its end, or skipped by [`Part::skip`].
    pub async fn next(&mut self) -> Result<Option<Part<'_>>, Broken> {
        self.count.head_left.store(HEAD_BYTES, Ordering::Relaxed);
        let field = self.reader.next_field().await.map_err(|_| self.count.why())?;
        self.count.head_left.store(usize::MAX, Ordering::Relaxed);
        let Some(field) = field else { return Ok(None) };
        self.seen += 1;
        if self.seen > MOST_PARTS {
            return Err(Broken::Malformed);
        }
        // Bytes of this head that arrived together with the end of the previous part were not counted.
        if bytes(field.headers()) > HEAD_BYTES {
            return Err(Broken::Head);
        }
        Ok(Some(Part { field, count: self.count.clone() }))
    }

    /// A counter of the bytes of the body received so far, which can be read while a part is borrowed.
    pub fn received(&self) -> Received {
        Received(self.count.clone())
    }
}

/// Counts the bytes of a body received so far.
pub struct Received(Arc<Count>);

impl Received {
    pub fn bytes(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }
}

/// A part whose content has not been read yet.
pub struct Part<'a> {
    field: Field<'a>,
    count: Arc<Count>,
}

impl Part<'_> {
    pub fn name(&self) -> Option<&str> {
        self.field.name()
    }

    pub fn file_name(&self) -> Option<&str> {
        self.field.file_name()
    }

    /// The next piece of the content; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        self.field.chunk().await.map_err(|_| self.count.why())
    }

    /// All of the content as text. Only the bound on the whole body limits its size.
    pub async fn text(self) -> Result<String, Broken> {
        self.field.text().await.map_err(|_| self.count.why())
    }

    /// Reads the content to its end, and discards it.
    pub async fn skip(mut self) -> Result<(), Broken> {
        while self.chunk().await?.is_some() {}
        Ok(())
    }
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

/// A body stream that ends in an error where a bound is exceeded.
struct Counted {
    body: BodyDataStream,
    most: u64,
    /// Bytes that have arrived and are not passed on yet.
    rest: Bytes,
    /// Whether the last poll gave a slice. The reader polls and buffers until the stream is pending: so after each slice it gets
    /// one `Pending`, and is woken at once.
    gave: bool,
    count: Arc<Count>,
}

impl Counted {
    fn end(&self, why: Broken) -> Poll<Option<Result<Bytes, Broken>>> {
        Poll::Ready(Some(Err(*self.count.broken.get_or_init(|| why))))
    }
}

impl Stream for Counted {
    type Item = Result<Bytes, Broken>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.gave) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_next(cx)) {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(_)) => return self.end(Broken::Malformed),
                None => return Poll::Ready(None),
            }
            let more = self.rest.len() as u64;
            let received = self.count.received.fetch_add(more, Ordering::Relaxed) + more;
            if received > self.most {
                return self.end(Broken::TooLarge);
            }
        }
        let head_left = self.count.head_left.load(Ordering::Relaxed);
        if head_left == 0 {
            return self.end(Broken::Head);
        }
        let size = self.rest.len().min(SLICE_BYTES).min(head_left);
        if head_left != usize::MAX {
            self.count.head_left.store(head_left - size, Ordering::Relaxed);
        }
        self.gave = true;
        Poll::Ready(Some(Ok(self.rest.split_to(size))))
    }
}
