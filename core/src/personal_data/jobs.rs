//! The job that makes the file.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store;
use crate::{
    Result, Tx,
    jobs::{Dependency, Job},
};

/// Writes what is known about user `user_id`, for their request `id`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExportPersonalData {
    pub user_id: i64,
    pub id: Uuid,
}

impl Job for ExportPersonalData {
    const QUEUE: &'static str = "comptes.export";
    const NEEDS: &[Dependency] = &[Dependency::Storage];
    const TIMEOUT: Duration = Duration::from_mins(30);
    /// Nobody waits for it within a minute, and others' mails are not to wait for it.
    const CONCURRENCY: usize = 1;

    async fn abandon(&self, tx: &mut Tx<'_>, _reason: &str, _now: DateTime<Utc>) -> Result<()> {
        store::set_failed(tx, self.id, true).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        store::set_failed(tx, self.id, false).await
    }
}
