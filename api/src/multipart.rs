//! Multipart bodies, bounded in all that is not the file itself.
//!
//! axum's reader (`multer`) bounds neither the head of a part nor their number, takes whatever has arrived into its buffer, and
//! searches all of that again whenever a byte comes: ninety megabytes in one head cost half a minute of processor time. It is
//! kept, since it knows how browsers write forms; what it is given is counted here, so that its buffer stays small.
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

/// What may stand before a part's content: the boundary and its headers.
const HEAD_BYTES: usize = 8 * 1024;
/// More parts than any form here has.
const MOST_PARTS: usize = 32;
/// Of a whole `Content-Type`: a boundary has 70 characters at the most (RFC 2046), and is compared with what comes.
const CONTENT_TYPE_BYTES: usize = 256;
/// What of a file the reader has in its hands at once.
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

/// What the reader has been given, and may still be.
#[derive(Debug)]
struct Count {
    received: AtomicU64,
    /// Bytes until the content of the next part must have begun; without a bound while there is content.
    head_left: AtomicUsize,
    broken: OnceLock<Broken>,
}

impl Count {
    fn why(&self) -> Broken {
        self.broken.get().copied().unwrap_or(Broken::Malformed)
    }
}

impl Parts {
    /// The parts of `request`, whose body has `most` bytes at the most, whatever they are.
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

    /// The next part. The one before it must have been read to its end, or passed over by [`Part::skip`].
    pub async fn next(&mut self) -> Result<Option<Part<'_>>, Broken> {
        self.seen += 1;
        if self.seen > MOST_PARTS {
            return Err(Broken::Malformed);
        }
        self.count.head_left.store(HEAD_BYTES, Ordering::Relaxed);
        let field = self.reader.next_field().await.map_err(|_| self.count.why())?;
        self.count.head_left.store(usize::MAX, Ordering::Relaxed);
        let Some(field) = field else { return Ok(None) };
        // What came together with the end of the part before it was not counted as a head.
        if bytes(field.headers()) > HEAD_BYTES {
            return Err(Broken::Head);
        }
        Ok(Some(Part { field, count: self.count.clone() }))
    }

    /// How much of the body has been taken so far.
    pub fn received(&self) -> Received {
        Received(self.count.clone())
    }
}

/// How much of a body has been taken so far.
pub struct Received(Arc<Count>);

impl Received {
    pub fn bytes(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }
}

/// A part, whose content is still to come.
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

    /// The next piece of the content; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        self.field.chunk().await.map_err(|_| self.count.why())
    }

    /// All of the content, which the body bounds, as text.
    pub async fn text(self) -> Result<String, Broken> {
        self.field.text().await.map_err(|_| self.count.why())
    }

    /// Passes over the content.
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

/// A body that ends in an error where a bound is passed.
struct Counted {
    body: BodyDataStream,
    most: u64,
    /// What has arrived and was not passed on.
    rest: Bytes,
    /// The reader asks until there is nothing: it is told so after each slice, and woken at once.
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
