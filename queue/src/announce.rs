//! Notifications of new jobs: sent after the commit that made them, and listened for.
use std::{
    collections::{BTreeSet, HashMap},
    convert::Infallible,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Acquire as _, Connection as _, PgPool, postgres::PgListener};
use tokio::{sync::Notify, time::timeout};

use crate::reserved::Reserved;

/// The channel of all queues; the payload is the name of one.
const CHANNEL: &str = "queue";
/// A process announces a queue at most once in this time: a worker that is woken finds the other new jobs, too.
const GATHER: Duration = Duration::from_millis(10);
/// An announcement that is not sent within this time is given up: workers find the jobs by polling.
const LIMIT: Duration = Duration::from_secs(2);
/// A connection without a notification for this long is pinged.
const QUIET: Duration = Duration::from_secs(5);
/// The time limit of the ping.
const ANSWER: Duration = Duration::from_secs(4);

/// Announces jobs after their transaction has committed. Clones announce together.
///
/// Jobs whose announcement is lost (the process dies, the database is unavailable) are found by the next poll.
#[derive(Debug, Clone)]
pub struct Announcer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    /// Queues to be announced; `None` while no task sends.
    waiting: Mutex<Option<BTreeSet<String>>>,
}

impl Announcer {
    #[must_use]
    pub fn new(pool: &PgPool) -> Self {
        Self(Arc::new(Inner { pool: pool.clone(), waiting: Mutex::default() }))
    }

    /// Says that `queues` may have new jobs. Returns at once, and never fails.
    pub fn announce<'a>(&self, queues: impl IntoIterator<Item = &'a str>) {
        let mut queues = queues.into_iter().peekable();
        if queues.peek().is_none() {
            return;
        }
        let queues = queues.map(str::to_owned);
        let mut waiting = self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waiting) = waiting.as_mut() {
            waiting.extend(queues);
            return;
        }
        *waiting = Some(queues.collect());
        let inner = self.0.clone();
        #[expect(clippy::disallowed_methods, reason = "lost, it costs the wait for a poll")]
        drop(tokio::spawn(async move { inner.send().await }));
    }
}

impl Inner {
    /// Sends the waiting announcements, and those that are added meanwhile, until none is left.
    async fn send(&self) {
        loop {
            let queues = {
                let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                match waiting.take() {
                    Some(queues) if !queues.is_empty() => {
                        *waiting = Some(BTreeSet::new());
                        queues.into_iter().collect::<Vec<_>>()
                    }
                    _ => return,
                }
            };
            let notify = sqlx::query!(
                "select pg_notify($1, queue) from unnest($2::text[]) as q (queue)",
                CHANNEL,
                &queues
            );
            match timeout(LIMIT, notify.execute(&self.pool)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "jobs not announced: workers poll"),
                Err(_) => tracing::warn!("jobs not announced: workers poll"),
            }
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// Wakes the worker of one queue when it may have a job. If nobody waits, the next one to wait is woken at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wakeup(Arc<Notify>);

impl Wakeup {
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }

    fn wake(&self) {
        self.0.notify_one();
    }
}

/// The queues that a process listens for, by name.
#[derive(Debug, Default)]
pub(crate) struct Wakeups(Mutex<HashMap<String, Wakeup>>);

impl Wakeups {
    pub(crate) fn of(&self, queue: &str) -> Wakeup {
        self.lock().entry(queue.to_owned()).or_default().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Wakeup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, queue: &str) {
        if let Some(wakeup) = self.lock().get(queue) {
            wakeup.wake();
        }
    }

    fn wake_all(&self) {
        self.lock().values().for_each(Wakeup::wake);
    }

    /// Listens on a connection of its own, and never ends. While the connection is lost the workers poll.
    pub(crate) async fn listen(&self, pool: &PgPool) -> Infallible {
        let mut line = Reserved::beside(pool);
        loop {
            let wake = |queue: Option<&str>| {
                queue.map_or_else(|| self.wake_all(), |queue| self.wake(queue));
            };
            let Err(error) = hear(line.pool(), wake).await;
            tracing::warn!(%error, "not listening for jobs, polling meanwhile");
            line.renew();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Calls `wake` with the name of each queue that is announced, and without one when announcements may have been missed, as before
/// the first. Ends when the connection is lost or does not answer a ping: when the other host has vanished, nothing else shows it.
pub async fn hear(pool: &PgPool, wake: impl Fn(Option<&str>)) -> sqlx::Result<Infallible> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    wake(None);
    loop {
        match timeout(QUIET, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => wake(Some(notification.payload())),
            Ok(Ok(None)) => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                let ping = async { listener.acquire().await?.ping().await };
                let late = |_| io::Error::from(io::ErrorKind::TimedOut);
                timeout(ANSWER, ping).await.map_err(late)??;
            }
        }
    }
}
