//! Runs the jobs that core declares.
mod batches;
pub mod decoder;
mod digest;
pub mod doctor;
mod documents;
mod emails;
pub mod files;
pub mod http;
mod interventions;
mod maintenance;
mod planning;
pub mod preview;
mod reconcile;
mod runner;
mod scheduler;
mod work;

use std::{path::PathBuf, time::Duration};

use erp_core::{
    Ctx, Error,
    jobs::{QUEUES, Verdict},
    local::change,
    metrics, schedules,
};
use uuid::Uuid;

use batches::batches;
use decoder::Decoders;
use runner::Runner;
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
    /// The `erp-worker` that decodes files: this very program, but where the jobs run in another.
    pub decoder: PathBuf,
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
            decoder: decoder::own_program(),
        }
    }
}

/// Every job of the system, one line each.
fn with_jobs(runner: Runner, ctx: &Ctx, settings: &Settings) -> Runner {
    let decoders = Decoders::new(settings.decoder.clone(), ctx.config.decoder);
    runner
        .job(move |work, job| documents::process(work, job, decoders.clone()))
        .job(documents::delete_files)
        .job(emails::send)
        .job(digest::send_all)
        .job(planning::generate)
        .job(planning::remind)
        .job(interventions::late)
        .job(interventions::unassigned)
        .job(maintenance::purge)
        .job(reconcile::reconcile)
        // Of the release before.
        .job(emails::adopt)
        .job(emails::send_group)
        .job(digest::send)
}

/// Runs the schedules and the jobs until `stop` resolves and what runs has ended.
pub async fn run(
    ctx: &Ctx,
    settings: &Settings,
    stop: impl Future<Output = std::io::Result<()>> + Send,
) -> Result<(), StopError> {
    metrics::begin(QUEUES, schedules::NAMES);
    let runner = Box::pin(with_jobs(Runner::new(ctx, settings), ctx, settings).run_until(stop));
    tokio::select! {
        done = runner => done,
        never = scheduler::run(ctx), if ctx.config.worker.scheduler => match never {},
        never = Box::pin(change::keep(ctx, "erp-worker")) => match never {},
    }
}

/// Does jobs one by one when it is told to, without the queue: for simulations, where a year passes in a minute.
pub struct ByHand(Runner);

impl ByHand {
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        let settings = Settings::new(ctx);
        Self(with_jobs(Runner::new(ctx, &settings), ctx, &settings))
    }

    /// Does the job of `queue` with this payload, by the clock of the context.
    pub async fn perform(&self, queue: &str, payload: &[u8]) -> Result<Verdict, Error> {
        self.0.perform(queue, payload).await
    }
}
