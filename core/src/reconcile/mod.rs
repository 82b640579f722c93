//! Compares the rows of the business with the jobs that process them, repairs what is safe, and reports the rest.
//!
//! Row and job are written in one transaction, so that normally nothing is found here; a finding is due to a bug, a restore of
//! half the data, or a manual change of the tables. A row counts only when it has not changed for an hour.
pub mod jobs;
mod store;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

pub use store::{Finding, findings};

use crate::{Result, Tx, documents, jobs::enqueue, notifications::outgoing_mails, planning};

/// A row that has changed within this time is being worked on, and does not count.
const STILL: TimeDelta = TimeDelta::hours(1);

/// One kind of discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mails that wait, or are being sent, and have no job: they get one.
    MailsWithoutJob,
    /// Notifications that wait for a mail and are in none that will still be sent: they join the next.
    NotificationsWithoutMail,
    /// Documents that wait to be processed and have no job: they get one.
    DocumentsWithoutJob,
    /// Plannings that are due and have opened no visit: the generation of visits is started.
    PlanningsDue,
    /// Jobs whose mail or document is gone: they end by themselves when they run, and are only reported.
    JobsWithoutSubject,
}

impl Kind {
    pub const ALL: [Self; 5] = [
        Self::MailsWithoutJob,
        Self::NotificationsWithoutMail,
        Self::DocumentsWithoutJob,
        Self::PlanningsDue,
        Self::JobsWithoutSubject,
    ];

    /// Its name in the table and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MailsWithoutJob => "mails_without_job",
            Self::NotificationsWithoutMail => "notifications_without_mail",
            Self::DocumentsWithoutJob => "documents_without_job",
            Self::PlanningsDue => "plannings_due",
            Self::JobsWithoutSubject => "jobs_without_subject",
        }
    }

    /// Its French name, for the progress of a run.
    #[must_use]
    pub fn in_french(self) -> &'static str {
        match self {
            Self::MailsWithoutJob => "courriels sans tâche",
            Self::NotificationsWithoutMail => "notifications sans courriel",
            Self::DocumentsWithoutJob => "documents sans tâche",
            Self::PlanningsDue => "plannings échus sans visite",
            Self::JobsWithoutSubject => "tâches sans objet",
        }
    }
}

/// Finds up to `limit` rows of `kind` after row `after` that have not changed for an hour at `now` (plannings, which are
/// checked every hour: that have been due for two), by id.
pub async fn find(
    pool: &PgPool,
    kind: Kind,
    after: i64,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<i64>> {
    let before = now - STILL;
    match kind {
        Kind::MailsWithoutJob => store::mails_without_job(pool, before, after, limit).await,
        Kind::NotificationsWithoutMail => {
            store::notifications_without_mail(pool, before, after, limit).await
        }
        Kind::DocumentsWithoutJob => store::documents_without_job(pool, before, after, limit).await,
        Kind::PlanningsDue => planning::due(pool, before - STILL, after, limit).await,
        Kind::JobsWithoutSubject => store::jobs_without_subject(pool, before, after, limit).await,
    }
}

/// Repairs the rows `ids` of `kind`, where that is safe; returns how many. A repeated call does nothing more.
pub async fn mend(tx: &mut Tx<'_>, kind: Kind, ids: &[i64], now: DateTime<Utc>) -> Result<usize> {
    match kind {
        Kind::MailsWithoutJob => {
            for &id in ids {
                outgoing_mails::enqueue_again(tx, id, now).await?;
            }
        }
        Kind::NotificationsWithoutMail => {
            for &id in ids {
                outgoing_mails::leave(tx, id).await?;
                outgoing_mails::adopt(tx, id, now).await?;
            }
        }
        Kind::DocumentsWithoutJob => {
            for &id in ids {
                documents::reprocess(tx, id).await?;
            }
        }
        Kind::PlanningsDue if ids.is_empty() => {}
        Kind::PlanningsDue => enqueue(tx, &planning::jobs::Generate::at(None)).await?,
        Kind::JobsWithoutSubject => return Ok(0),
    }
    Ok(ids.len())
}

/// Records how many rows of `kind` were found, and how many repaired; added to what the same `run` has recorded before.
pub async fn record(
    tx: &mut Tx<'_>,
    kind: Kind,
    run: &str,
    found: usize,
    mended: usize,
    now: DateTime<Utc>,
) -> Result<()> {
    store::record(tx, kind, run, found, mended, now).await
}
