//! Runs the jobs that core declares.
mod documents;
mod emails;
pub mod files;
pub mod http;
mod maintenance;
pub mod preview;
mod runner;
mod scheduler;
mod wake;

use std::time::Duration;

use erp_core::Ctx;
use uuid::Uuid;

pub use runner::StopError;

/// How this process runs jobs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names this process among its replicas, dead ones too: two processes never share a name.
    pub instance: String,
    /// How long a job may wait that no notification announces: a retry, or one missed while reconnecting.
    pub poll: Duration,
    /// Jobs running at SIGTERM get so long to end; others take up what does not.
    pub shutdown_timeout: Duration,
}

impl Settings {
    /// What suits a real process.
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self {
            instance: format!("{}-{}-{}", host.trim(), std::process::id(), Uuid::new_v4().simple()),
            poll: Duration::from_millis(500),
            shutdown_timeout: ctx.config.worker.shutdown_timeout,
        }
    }
}

/// Runs the schedules and every job of the system, one line each, until `stop` resolves and what runs has ended.
pub async fn run(
    ctx: &Ctx,
    settings: &Settings,
    stop: impl Future<Output = std::io::Result<()>> + Send,
) -> Result<(), StopError> {
    let runner = runner::Runner::new(ctx, settings)
        .job(documents::process)
        .job(documents::delete_files)
        .job(emails::send)
        .job(maintenance::purge)
        .run_until(stop);
    tokio::select! {
        done = runner => done,
        never = scheduler::run(ctx), if ctx.config.worker.scheduler => match never {},
    }
}
