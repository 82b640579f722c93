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

/// Makes the file of report `id`, for the `tour`th time that it was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MakeReport {
    pub id: Uuid,
    pub tour: i32,
}

impl Job for MakeReport {
    const QUEUE: &'static str = "rapports.generer";
    const NEEDS: &[Dependency] = &[Dependency::Storage];
    /// Its owner waits, and can ask again.
    const OUTAGE_LIMIT: Duration = Duration::from_hours(2);
    const TIMEOUT: Duration = Duration::from_hours(1);
    /// Each reads a table and writes a file: more at once would take from the mails what they need.
    const CONCURRENCY: usize = 2;

    async fn abandon(&self, tx: &mut Tx<'_>, _reason: &str, now: DateTime<Utc>) -> Result<()> {
        store::give_up(tx, self.id, self.tour, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        store::revive(tx, self.id, self.tour).await
    }
}
