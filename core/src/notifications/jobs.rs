//! What the worker does with mails.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::envois;
use crate::{
    Result, Tx,
    jobs::{Dependency, Job},
};

/// Sends one mail.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendMail {
    pub envoi_id: i64,
    /// Sent again by order of an admin, after so many transmissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renvoi: Option<i32>,
}

impl SendMail {
    pub(super) fn new(envoi_id: i64) -> Self {
        Self { envoi_id, renvoi: None }
    }

    /// The same mail once more, after `transmissions`.
    pub(super) fn again(envoi_id: i64, transmissions: i32) -> Self {
        Self { envoi_id, renvoi: Some(transmissions) }
    }
}

impl Job for SendMail {
    const QUEUE: &'static str = "emails";
    const NEEDS: &[Dependency] = &[Dependency::Smtp];
    /// Ten minutes after the final dot, and the patience to record what the mail server said.
    const TIMEOUT: Duration = Duration::from_hours(1);
    const CONCURRENCY: usize = 4;

    fn key(&self) -> Option<String> {
        Some(match self.renvoi {
            None => self.envoi_id.to_string(),
            Some(transmissions) => format!("{}:{transmissions}", self.envoi_id),
        })
    }

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        envois::abandon(tx, self.envoi_id, reason, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        envois::revive(tx, self.envoi_id).await
    }
}

/// A job of the release before: it adds a notification to the mail that gathers for its reader. Nothing enqueues it any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendEmail {
    pub notification_id: i64,
}

impl Job for SendEmail {
    const QUEUE: &'static str = "emails.send";
}

/// A job of the release before: it sends a mail. Nothing enqueues it any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendGroup {
    pub envoi_id: i64,
}

impl Job for SendGroup {
    const QUEUE: &'static str = "emails.group";
    const NEEDS: &[Dependency] = &[Dependency::Smtp];
    const TIMEOUT: Duration = SendMail::TIMEOUT;

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        envois::abandon(tx, self.envoi_id, reason, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        envois::revive(tx, self.envoi_id).await
    }
}
