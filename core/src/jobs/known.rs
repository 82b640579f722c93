//! What the business has to say of a job whose type is only known by name: the one list of job types outside the worker.
use chrono::{DateTime, Utc};

use super::Job;
use crate::{
    Result, Tx,
    documents::jobs::{DeleteFiles, ProcessDocument},
    notifications::jobs::SendEmail,
    schedules::jobs::Purge,
};

/// The queues of this version.
pub const QUEUES: &[&str] =
    &[ProcessDocument::QUEUE, DeleteFiles::QUEUE, SendEmail::QUEUE, Purge::QUEUE];

/// Does `$what` with the job that `$payload` holds. A type or a payload that this version does not know concerns nobody.
macro_rules! with_job {
    ($queue:expr, $payload:expr, |$job:ident| $what:expr, $($type:ty),+) => {
        match $queue {
            $(<$type>::QUEUE => match serde_json::from_slice::<$type>($payload) {
                Ok($job) => $what,
                Err(_) => Ok(()),
            },)+
            _ => Ok(()),
        }
    };
}

/// [`Job::abandon`] by name.
pub(super) async fn abandon(
    tx: &mut Tx<'_>,
    queue: &str,
    payload: &[u8],
    reason: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    with_job!(
        queue,
        payload,
        |job| job.abandon(tx, reason, now).await,
        ProcessDocument,
        DeleteFiles,
        SendEmail,
        Purge
    )
}

/// [`Job::revive`] by name.
pub(super) async fn revive(tx: &mut Tx<'_>, queue: &str, payload: &[u8]) -> Result<()> {
    with_job!(
        queue,
        payload,
        |job| job.revive(tx).await,
        ProcessDocument,
        DeleteFiles,
        SendEmail,
        Purge
    )
}
