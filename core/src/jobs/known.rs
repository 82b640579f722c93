//! What the business has to say of a job whose type is only known by name: the one list of job types outside the worker.
use chrono::{DateTime, Utc};

use super::{Dependency, Job};
use crate::{
    Result, Tx,
    digest::jobs::{Point, SendDigest},
    documents::jobs::{DeleteFiles, ProcessDocument},
    interventions::jobs::{Late, Unassigned},
    notifications::jobs::{SendEmail, SendGroup, SendMail},
    planning::jobs::{Generate, Remind},
    reconcile::jobs::Reconcile,
    schedules::jobs::Purge,
};

/// Every job type, in one list.
macro_rules! jobs {
    ($($type:ty),+ $(,)?) => {
        /// The queues of this version.
        pub const QUEUES: &[&str] = &[$(<$type>::QUEUE),+];

        /// The queues that need `dependency`.
        pub(super) fn needing(dependency: Dependency) -> impl Iterator<Item = &'static str> {
            let all = [$((<$type>::QUEUE, <$type>::NEEDS)),+];
            all.into_iter().filter(move |(_, needs)| needs.contains(&dependency)).map(|(queue, _)| queue)
        }

        /// [`Job::abandon`] by name. A type or a payload that this version does not know concerns nobody.
        pub(super) async fn abandon(
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
        pub(super) async fn revive(tx: &mut Tx<'_>, queue: &str, payload: &[u8]) -> Result<()> {
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
