//! The one list of job types outside the worker, and the calls to a job whose type is only known by the name of its queue.
use chrono::{DateTime, Utc};

use crate::{
    Result, Tx,
    accounts::{links::MailLink, pseudonyms::Pseudonymise},
    digest::jobs::{Point, SendDigest},
    documents::{
        jobs::{DeleteFiles, ProcessDocument},
        lots::ReportLot,
    },
    interventions::jobs::{Late, Unassigned},
    jobs::{Dependency, Job},
    notifications::jobs::{SendAccountMail, SendEmail, SendGroup, SendMail},
    personal_data::jobs::ExportPersonalData,
    planning::jobs::{Generate, Remind},
    rapports::jobs::MakeReport,
    reconcile::jobs::Reconcile,
    schedules::jobs::Purge,
};

/// A type of job of the list below.
pub trait Known: Job {}

/// A job runner that has a handler for the jobs of type `J`; the runner implements this for each type.
pub trait Handles<J: Known>: Sized {
    /// Registers the handler.
    #[must_use]
    fn handle(self) -> Self;
}

/// Declares every job type, in one list, and the functions over all of them.
macro_rules! jobs {
    ($($type:ty),+ $(,)?) => {
        $(impl Known for $type {})+

        /// Has `runner` register its handler of every job type. If one is missing, this does not compile:
        ///
        /// ```compile_fail,E0277
        /// struct Runner; // and no `impl Handles<Purge> for Runner`
        /// erp_core::catalogue::handle_all(Runner);
        /// ```
        #[must_use]
        pub fn handle_all<R>(runner: R) -> R
        where
            $(R: Handles<$type>,)+
        {
            $(let runner = <R as Handles<$type>>::handle(runner);)+
            runner
        }

        /// The queues of this version.
        pub const QUEUES: &[&str] = &[$(<$type>::QUEUE),+];

        /// The queues that need `dependency`.
        pub(crate) fn needing(dependency: Dependency) -> impl Iterator<Item = &'static str> {
            let all = [$((<$type>::QUEUE, <$type>::NEEDS)),+];
            all.into_iter().filter(move |(_, needs)| needs.contains(&dependency)).map(|(queue, _)| queue)
        }

        /// Calls [`Job::abandon`] of the job type of `queue`. Does nothing for a queue or payload that this version does not
        /// know.
        pub(crate) async fn abandon(
            tx: &mut Tx<'_>,
            queue: &str,
            payload: &[u8],
            reason: &str,
            now: DateTime<Utc>,
        ) -> Result<()> {
            match queue {
                $(<$type>::QUEUE => match serde_json::from_slice::<$type>(payload) {
                    Ok(job) => job.abandon(tx, reason, now).await,
                    Err(_) => Ok(()),
                },)+
                _ => Ok(()),
            }
        }

        /// The same for [`Job::revive`].
        pub(crate) async fn revive(tx: &mut Tx<'_>, queue: &str, payload: &[u8]) -> Result<()> {
            match queue {
                $(<$type>::QUEUE => match serde_json::from_slice::<$type>(payload) {
                    Ok(job) => job.revive(tx).await,
                    Err(_) => Ok(()),
                },)+
                _ => Ok(()),
            }
        }
    };
}

jobs![
    ProcessDocument,
    DeleteFiles,
    ReportLot,
    SendMail,
    SendAccountMail,
    MailLink,
    ExportPersonalData,
    MakeReport,
    Pseudonymise,
    Generate,
    Remind,
    Late,
    Unassigned,
    Point,
    Purge,
    Reconcile,
    // Job types of the previous release: nothing enqueues them any more.
    SendEmail,
    SendGroup,
    SendDigest,
];
