//! The jobs that send mails.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::outgoing_mails;
use crate::{
    Result, Tx,
    jobs::{Dependency, Job},
};

/// Sends one mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendMail {
    pub envoi_id: i64,
    /// Tells a job that sends the mail again from the one that was enqueued when the mail was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renvoi: Option<String>,
}

impl SendMail {
    pub(super) fn new(envoi_id: i64) -> Self {
        Self { envoi_id, renvoi: None }
    }

    /// One more job for the same mail. Jobs with the same `renvoi` have the same key, and so are one job.
    pub(super) fn again(envoi_id: i64, renvoi: String) -> Self {
        Self { envoi_id, renvoi: Some(renvoi) }
    }
}

impl Job for SendMail {
    const QUEUE: &'static str = "emails";
    const NEEDS: &[Dependency] = &[Dependency::Smtp];
    /// Each step of SMTP has its own limit. Recording the server's answer is retried for as long as the database is away: if the
    /// attempt ended before, the next one would send an accepted mail again.
    const TIMEOUT: Duration = Duration::from_hours(25);
    const CONCURRENCY: usize = 4;

    fn key(&self) -> Option<String> {
        Some(key(self.envoi_id, self.renvoi.as_deref()))
    }

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        outgoing_mails::abandon(tx, self.envoi_id, reason, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        outgoing_mails::revive(tx, self.envoi_id).await
    }
}

/// Begins with the id of the mail: `reconcile` finds mails without a job by it.
fn key(envoi_id: i64, renvoi: Option<&str>) -> String {
    match renvoi {
        None => envoi_id.to_string(),
        Some(renvoi) => format!("{envoi_id}:{renvoi}"),
    }
}

/// Sends one mail about the account of its reader. A queue of its own: such a mail waits behind no other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendAccountMail {
    pub envoi_id: i64,
    /// As that of [`SendMail`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renvoi: Option<String>,
}

impl SendAccountMail {
    pub(super) fn new(envoi_id: i64) -> Self {
        Self { envoi_id, renvoi: None }
    }

    pub(super) fn again(envoi_id: i64, renvoi: String) -> Self {
        Self { envoi_id, renvoi: Some(renvoi) }
    }
}

impl Job for SendAccountMail {
    const QUEUE: &'static str = "emails.compte";
    const NEEDS: &[Dependency] = SendMail::NEEDS;
    const TIMEOUT: Duration = SendMail::TIMEOUT;
    const CONCURRENCY: usize = 2;

    fn key(&self) -> Option<String> {
        Some(key(self.envoi_id, self.renvoi.as_deref()))
    }

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        outgoing_mails::abandon(tx, self.envoi_id, reason, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        outgoing_mails::revive(tx, self.envoi_id).await
    }
}

/// A job of the previous release: adds a notification to the open mail of its reader. It is not enqueued any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendEmail {
    pub notification_id: i64,
}

impl Job for SendEmail {
    const QUEUE: &'static str = "emails.send";

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, _now: DateTime<Utc>) -> Result<()> {
        super::store::give_up(tx, self.notification_id, reason).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        super::store::queue_again(tx, self.notification_id).await
    }
}

/// A job of the previous release: sends a mail. It is not enqueued any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendGroup {
    pub envoi_id: i64,
}

impl Job for SendGroup {
    const QUEUE: &'static str = "emails.group";
    const NEEDS: &[Dependency] = &[Dependency::Smtp];
    const TIMEOUT: Duration = SendMail::TIMEOUT;

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        outgoing_mails::abandon(tx, self.envoi_id, reason, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        outgoing_mails::revive(tx, self.envoi_id).await
    }
}
