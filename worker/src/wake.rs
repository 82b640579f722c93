//! Wakes the workers of a queue when a job may run: one listening connection for the whole process.
use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::Notify;

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
        listener.listen("erp_jobs").await?;
        loop {
            // What came while nobody listened, too: when the listener has connected again without a word.
            self.0.values().for_each(|bell| bell.0.notify_one());
            while let Some(notification) = listener.try_recv().await? {
                if let Some(bell) = self.0.get(notification.payload()) {
                    bell.0.notify_one();
                }
            }
        }
    }
}
