//! The transaction of routes and jobs.
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
    time::Duration,
};

use apalis_hot::Announcer;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use sqlx::{PgConnection, Postgres, Transaction};

use crate::Result;

/// How long a replica accepts a caller whose row it has read, without reading it again ([`crate::auth::Callers`]). A commit that
/// ends an access (a sign-out, a disabled account) waits as long.
pub(crate) const KNOWN_FOR: Duration = Duration::from_millis(100);
/// What is waited beyond that, for clocks that run at different speeds.
const MARGIN: Duration = Duration::from_millis(20);

/// Opens or joins the mail of a reader for notifications (their ids) that were made at a time, with the window of [`Tx`].
pub(crate) type Admit = for<'t> fn(
    &'t mut Tx<'_>,
    i64,
    Vec<i64>,
    TimeDelta,
    DateTime<Utc>,
) -> BoxFuture<'t, Result<()>>;

/// An open transaction. A function that takes one writes, and leaves the commit to its caller. A transaction that is dropped
/// without a commit changes nothing.
///
/// Only [`crate::Ctx::begin`] makes one, and for a job handler only its lease does: so a function that takes a `Tx` cannot
/// write after the attempt has lost its lease.
pub struct Tx<'a> {
    inner: Transaction<'a, Postgres>,
    /// `EMAILS_GROUP_SECONDS`
    mail_window: TimeDelta,
    /// By reader: the notifications to be mailed, and when the first of them was made.
    mails: BTreeMap<i64, (DateTime<Utc>, Vec<i64>, Admit)>,
    announcer: Announcer,
    /// Those that have new jobs, announced after the commit.
    queues: BTreeSet<&'static str>,
    ends_access: bool,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(
        inner: Transaction<'a, Postgres>,
        announcer: Announcer,
        mail_window: TimeDelta,
    ) -> Self {
        Self {
            inner,
            mail_window,
            mails: BTreeMap::new(),
            announcer,
            queues: BTreeSet::new(),
            ends_access: false,
        }
    }

    /// Somebody's access ends when this transaction commits: [`Tx::commit`] returns when no replica takes the former caller for
    /// one who may work ([`crate::auth::Callers`]).
    pub(crate) fn end_access(&mut self) {
        self.ends_access = true;
    }

    /// Announces a job of `queue` when this transaction has committed.
    pub(crate) fn announce(&mut self, queue: &'static str) {
        self.queues.insert(queue);
    }

    /// Adds a notification to the next mail of its reader by `admit`, when this transaction commits.
    pub(crate) fn mail(
        &mut self,
        user_id: i64,
        notification_id: i64,
        now: DateTime<Utc>,
        admit: Admit,
    ) {
        let mail = self.mails.entry(user_id).or_insert_with(|| (now, Vec::new(), admit));
        mail.1.push(notification_id);
    }

    /// Discards the mails of this transaction, for notifications of past events that their readers know of.
    pub fn discard_mails(&mut self) {
        self.mails.clear();
    }

    /// Commits everything that was written, mails and their jobs included.
    ///
    /// The mails are opened or joined last and in the order of their readers: each locks a row of its reader, and two
    /// commits for the same readers must not deadlock.
    pub async fn commit(mut self) -> Result<()> {
        self.admit_mails().await?;
        self.inner.commit().await?;
        self.announcer.announce(self.queues);
        if self.ends_access {
            tokio::time::sleep(KNOWN_FOR + MARGIN).await;
        }
        Ok(())
    }

    /// Writes what [`Tx::commit`] would, and returns the transaction, which the caller commits. Its jobs are not announced: workers
    /// find them by polling. An error if the transaction ends an access: after the caller's commit nothing would wait until the
    /// replicas have forgotten whom they know.
    pub async fn into_inner(mut self) -> Result<Transaction<'a, Postgres>> {
        if self.ends_access {
            return Err(anyhow::anyhow!("access is ended by a commit that does not wait").into());
        }
        self.admit_mails().await?;
        Ok(self.inner)
    }

    async fn admit_mails(&mut self) -> Result<()> {
        let (window, mails) = (self.mail_window, std::mem::take(&mut self.mails));
        for (user_id, (now, notifications, admit)) in mails {
            admit(self, user_id, notifications, window, now).await?;
        }
        Ok(())
    }

    /// Rolls everything back at once; dropping does so when the connection is used next.
    pub async fn rollback(self) -> Result<()> {
        Ok(self.inner.rollback().await?)
    }
}

impl Deref for Tx<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.inner
    }
}

impl DerefMut for Tx<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.inner
    }
}
