//! Runs the jobs that core declares.
mod batches;
mod digest;
pub mod doctor;
pub mod documents;
pub mod emails;
pub mod http;
mod interventions;
mod maintenance;
mod planning;
mod reconcile;
mod runner;
mod work;

use std::{path::PathBuf, time::Duration};

use erp_core::{
    Ctx, Error,
    catalogue::{Handles, QUEUES, handle_all},
    digest::jobs::{Point, SendDigest},
    documents::{
        jobs::{DeleteFiles, ProcessDocument},
        lots::SettleLot,
    },
    interventions::jobs::{Late, Unassigned},
    jobs::Verdict,
    metrics,
    notifications::jobs::{SendEmail, SendGroup, SendMail},
    planning::jobs::{Generate, Remind},
    reconcile::jobs::Reconcile,
    schedules::{self, jobs::Purge},
    time_rules,
};
use uuid::Uuid;

use batches::batches;
use documents::decoder;
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

/// Every job of the system, one line each: one that core lists and that is missing here does not compile, nor does one that
/// core does not list.
macro_rules! handlers {
    ($($job:ty => $handler:path),+ $(,)?) => {
        $(impl Handles<$job> for Runner {
            fn handle(self) -> Self {
                self.job::<$job, _, _, _>($handler)
            }
        })+
    };
}

handlers! {
    ProcessDocument => documents::process,
    DeleteFiles => documents::delete_files,
    SettleLot => documents::settle_lot,
    SendMail => emails::send,
    Point => digest::send_all,
    Generate => planning::generate,
    Remind => planning::remind,
    Late => interventions::late,
    Unassigned => interventions::unassigned,
    Purge => maintenance::purge,
    Reconcile => reconcile::reconcile,
    // Of the release before.
    SendEmail => emails::adopt,
    SendGroup => emails::send_group,
    SendDigest => digest::send,
}

/// Runs the schedules and the jobs until `stop` resolves and what runs has ended.
pub async fn run(
    ctx: &Ctx,
    settings: &Settings,
    stop: impl Future<Output = std::io::Result<()>> + Send,
) -> Result<(), StopError> {
    metrics::begin(QUEUES, schedules::NAMES);
    let runner = Box::pin(handle_all(Runner::new(ctx, settings)).run_until(stop));
    tokio::select! {
        done = runner => done,
        never = schedules::run(ctx), if ctx.config.worker.scheduler => match never {},
        never = Box::pin(time_rules::keep(ctx, "erp-worker")) => match never {},
    }
}

/// Does jobs one by one when it is told to, without the queue: for simulations, where a year passes in a minute.
pub struct ByHand(Runner);

impl ByHand {
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        Self(handle_all(Runner::new(ctx, &Settings::new(ctx))))
    }

    /// Does the job of `queue` with this payload, by the clock of the context.
    pub async fn perform(&self, queue: &str, payload: &[u8]) -> Result<Verdict, Error> {
        self.0.perform(queue, payload).await
    }
}
