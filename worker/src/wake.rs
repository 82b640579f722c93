//! Wakes the workers of a queue when a job arrives: one listening connection for the whole process.
//!
//! apalis's own pub/sub takes a connection for each queue and ends for good at its first error. Its poll strategies
//! also lose a wake-up that arrives while an empty fetch is under way: that fetch began too early to see the job, and
//! nothing starts another. So each ring has echoes, by which any fetch of its time has ended.
use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _, stream, stream::BoxStream};
use serde::Deserialize;
use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;

/// A fetch takes milliseconds; the second echo is for a busy database.
const ECHOES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(200)];

/// What the trigger on `apalis.jobs` says of a job that may run now.
#[derive(Deserialize)]
struct Inserted {
    job_type: String,
}

/// The queues of this process, by name.
#[derive(Default)]
pub(crate) struct Wake(HashMap<&'static str, Notified>);

/// Rings when a job of one queue arrives.
#[derive(Clone, Default)]
pub(crate) struct Notified(Arc<Notify>);

impl Wake {
    pub(crate) fn queue(&mut self, name: &'static str) -> Notified {
        self.0.entry(name).or_default().clone()
    }

    /// Listens for ever. While the connection is lost the workers go on by polling.
    pub(crate) async fn listen(&self, pool: &PgPool) -> Infallible {
        loop {
            if let Err(error) = self.listen_once(pool).await {
                tracing::warn!(%error, "not listening for jobs, polling meanwhile");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn listen_once(&self, pool: &PgPool) -> sqlx::Result<()> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen("apalis::job::insert").await?;
        // What arrived before we listened.
        self.0.values().for_each(|queue| queue.0.notify_one());
        loop {
            let notification = listener.recv().await?;
            if let Ok(Inserted { job_type }) = serde_json::from_str(notification.payload())
                && let Some(queue) = self.0.get(job_type.as_str())
            {
                queue.0.notify_one();
            }
        }
    }
}

impl Notified {
    /// Yields at each arrival and its echoes, and every `poll` without one.
    pub(crate) fn stream(&self, poll: Duration) -> PollAgain {
        let rings =
            stream::unfold((self.0.clone(), ECHOES.len()), move |(notify, heard)| async move {
                let pause = ECHOES.get(heard).copied().unwrap_or(poll);
                let rung = tokio::time::timeout(pause, notify.notified()).await.is_ok();
                Some(((), (notify, if rung { 0 } else { heard + 1 })))
            });
        PollAgain(rings.boxed())
    }
}

/// A stream whose every item asks for one more poll of the task that took it.
pub(crate) struct PollAgain(BoxStream<'static, ()>);

impl Stream for PollAgain {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let polled = self.0.poll_next_unpin(cx);
        if polled.is_ready() {
            cx.waker().wake_by_ref();
        }
        polled
    }
}
