//! Wakes the workers of a queue when a job may run: one listening connection for the whole process.
use std::{collections::HashMap, convert::Infallible, io, sync::Arc, time::Duration};

use erp_core::database::Reserved;
use sqlx::{Acquire as _, Connection as _, PgPool, postgres::PgListener};
use tokio::{sync::Notify, time::timeout};

/// After so long without a notification the connection is asked whether it lives.
const QUIET: Duration = Duration::from_secs(5);
/// For its answer.
const ANSWER: Duration = Duration::from_secs(4);

/// The queues of this process, by name.
#[derive(Default)]
pub(crate) struct Wake(HashMap<&'static str, Bell>);

/// Rings when a job of one queue may run. A ring that nobody waits for is kept for the next who does.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<Notify>);

impl Bell {
    pub(crate) async fn rung(&self) {
        self.0.notified().await;
    }
}

impl Wake {
    pub(crate) fn queue(&mut self, name: &'static str) -> Bell {
        self.0.entry(name).or_default().clone()
    }

    /// Listens for ever, on a connection of its own. While it is lost the workers go on by polling.
    pub(crate) async fn listen(&self, pool: &PgPool) -> Infallible {
        let mut line = Reserved::beside(pool);
        loop {
            let Err(error) = self.listen_on(line.pool()).await;
            tracing::warn!(%error, "not listening for jobs, polling meanwhile");
            line.renew();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Until the connection is lost, or does not answer: nothing comes over one whose host has vanished, and nothing says so.
    async fn listen_on(&self, pool: &PgPool) -> sqlx::Result<Infallible> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.eager_reconnect(false);
        listener.listen("erp_jobs").await?;
        // What came while nobody listened, too.
        self.0.values().for_each(|bell| bell.0.notify_one());
        loop {
            match timeout(QUIET, listener.try_recv()).await {
                Ok(Ok(Some(notification))) => {
                    if let Some(bell) = self.0.get(notification.payload()) {
                        bell.0.notify_one();
                    }
                }
                Ok(Ok(None)) => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    let ping = async { listener.acquire().await?.ping().await };
                    timeout(ANSWER, ping)
                        .await
                        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                }
            }
        }
    }
}
