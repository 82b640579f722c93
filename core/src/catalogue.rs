//! What the business has to say of a job whose type is only known by name: the one list of job types outside the worker.
use chrono::{DateTime, Utc};

use crate::{
    Result, Tx,
    digest::jobs::{Point, SendDigest},
    documents::{
        jobs::{DeleteFiles, ProcessDocument},
        lots::SettleLot,
    },
    interventions::jobs::{Late, Unassigned},
    jobs::{Dependency, Job},
    notifications::jobs::{SendEmail, SendGroup, SendMail},
    planning::jobs::{Generate, Remind},
    reconcile::jobs::Reconcile,
    schedules::jobs::Purge,
};

/// A type of job of the list below.
pub trait Known: Job {}

/// Has a handler for the jobs of type `J`. What runs the jobs implements it for each type.
pub trait Handles<J: Known>: Sized {
    /// Takes the handler up.
    #[must_use]
    fn handle(self) -> Self;
}

/// Every job type, in one list.
macro_rules! jobs {
    ($($type:ty),+ $(,)?) => {
        $(impl Known for $type {})+

        /// Has `runner` take up its handler of every type of job. With one missing this does not compile:
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

        /// [`Job::abandon`] by name. A type or a payload that this version does not know concerns nobody.
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

        /// [`Job::revive`] by name.
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
    SettleLot,
    SendMail,
    Generate,
    Remind,
    Late,
    Unassigned,
    Point,
    Purge,
    Reconcile,
    // Of the release before: nothing enqueues them any more.
    SendEmail,
    SendGroup,
    SendDigest,
];
