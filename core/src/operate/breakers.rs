//! The breakers of the services that jobs need ([`apalis_hot::breaker`]), as operators see them.
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgExecutor;

use crate::{Result, catalogue, jobs::Dependency};

/// A breaker.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct BreakerOut {
    /// `smtp` or `storage`.
    pub dependency: String,
    /// Whether jobs that need it wait, but for one probe at a time.
    pub open: bool,
    pub open_since: Option<DateTime<Utc>>,
    /// In a row, without an answer between.
    pub failures: i32,
    pub last_error: Option<String>,
    /// Probes that failed since it opened.
    pub probes: i32,
    /// While it is open: no probe before.
    pub next_probe_at: Option<DateTime<Utc>>,
    /// The process that probes at the moment.
    pub probing_by: Option<String>,
    /// The queues that wait while it is open.
    pub queues: Vec<String>,
}

/// Every breaker, by name.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<BreakerOut>> {
    let out = apalis_hot::breaker::list(db).await?.into_iter().map(|row| BreakerOut {
        open: row.open_since.is_some(),
        open_since: row.open_since,
        failures: row.failures,
        last_error: row.last_error,
        probes: row.probes,
        next_probe_at: row.next_probe_at,
        probing_by: row.probing_by,
        queues: Dependency::ALL
            .iter()
            .filter(|dependency| dependency.as_str() == row.name)
            .flat_map(|&dependency| catalogue::needing(dependency))
            .map(str::to_owned)
            .collect(),
        dependency: row.name,
    });
    Ok(out.collect())
}
