//! Runs the jobs that core declares.
mod accounts;
mod batches;
mod digest;
pub mod doctor;
pub mod documents;
pub mod emails;
pub mod http;
mod interventions;
mod maintenance;
mod personal_data;
mod planning;
mod rapports;
mod reconcile;
mod runner;
mod work;

use std::{path::PathBuf, sync::Arc, time::Duration};

use erp_core::{
    Ctx, Error,
    accounts::{links::MailLink, pseudonyms::Pseudonymise},
    catalogue::{Handles, QUEUES, handle_all},
    digest::jobs::{Point, SendDigest},
    documents::{
        jobs::{DeleteFiles, ProcessDocument},
        lots::ReportLot,
    },
    interventions::jobs::{Late, Unassigned},
    jobs::Verdict,
    metrics,
    notifications::jobs::{SendAccountMail, SendEmail, SendGroup, SendMail},
    operate::programs::{self, Tally},
    personal_data::jobs::ExportPersonalData,
    planning::jobs::{Generate, Remind},
    rapports::jobs::MakeReport,
    reconcile::jobs::Reconcile,
    schedules::{self, jobs::Purge},
    time_rules,
};

use batches::batches;
use documents::decoder;
use runner::Runner;
pub use runner::StopError;

/// How this process runs jobs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The name of this process. No two processes share one, dead ones included.
    pub instance: String,
    /// How often workers look for jobs that no notification has announced: retries have none, and those that are sent while this
    /// process reconnects are lost.
    pub poll: Duration,
    /// How long a stop at SIGTERM may take. Jobs that do not end in time are handed back, and other processes run them.
    pub shutdown_timeout: Duration,
    /// The `erp-worker` program that decodes files: this program itself, unless the jobs run in another one (a test).
    pub decoder: PathBuf,
}

impl Settings {
    /// The settings of a real process (not of a test).
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        Self {
            instance: programs::own_name(),
            poll: Duration::from_millis(500),
            shutdown_timeout: ctx.config.worker.shutdown_timeout,
            decoder: decoder::own_program(),
        }
    }
}

/// The handler of every job type, one line each. A type that core lists and that is missing here does not compile, nor does
/// one that core does not list.
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
    ReportLot => documents::report_lot,
    SendMail => emails::send,
    SendAccountMail => emails::send_account_mail,
    MailLink => accounts::mail_link,
    ExportPersonalData => personal_data::export,
    MakeReport => rapports::make,
    Pseudonymise => accounts::pseudonymise,
    Point => digest::send_all,
    Generate => planning::generate,
    Remind => planning::remind,
    Late => interventions::late,
    Unassigned => interventions::unassigned,
    Purge => maintenance::purge,
    Reconcile => reconcile::reconcile,
    // Job types of the release before.
    SendEmail => emails::adopt,
    SendGroup => emails::send_group,
    SendDigest => digest::send,
}

/// Runs the jobs, and the schedules if this worker has them, until `stop` resolves and the running jobs have ended or
/// [`Settings::shutdown_timeout`] is over.
pub async fn run(
    ctx: &Ctx,
    settings: &Settings,
    stop: impl Future<Output = std::io::Result<()>> + Send,
) -> Result<(), StopError> {
    metrics::begin(QUEUES, schedules::NAMES);
    let tally = Arc::new(Tally::default());
    let runner = Box::pin(handle_all(Runner::new(ctx, settings, &tally)).run_until(stop));
    let (program, instance) = ("erp-worker", settings.instance.as_str());
    tokio::select! {
        done = runner => done,
        never = schedules::run(ctx), if ctx.config.worker.scheduler => match never {},
        never = Box::pin(time_rules::keep(ctx, program)) => match never {},
        never = Box::pin(programs::keep(ctx, program, instance, &tally)) => match never {},
    }
}

/// Runs single jobs on request, without the queue: for simulations, where a year passes in a minute.
pub struct ByHand(Runner);

impl ByHand {
    #[must_use]
    pub fn new(ctx: &Ctx) -> Self {
        Self(handle_all(Runner::new(ctx, &Settings::new(ctx), &Arc::default())))
    }

    /// Runs the handler of `queue` with this payload, by the clock of the context.
    pub async fn perform(&self, queue: &str, payload: &[u8]) -> Result<Verdict, Error> {
        self.0.perform(queue, payload).await
    }
}
