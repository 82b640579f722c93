//! What the worker does with notifications.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Delivery;
use crate::{Result, Tx, jobs::Job};

/// Sends the mail of a notification, or adds it to the one that gathers for its reader.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendEmail {
    pub notification_id: i64,
}

impl Job for SendEmail {
    const QUEUE: &'static str = "emails.send";
    /// With pauses of up to ten minutes: some eight hours without an SMTP server.
    const MAX_ATTEMPTS: usize = 55;
    /// The mail server has `SMTP_TIMEOUT_SECONDS`; the rest is for a database that is away just when the mail was accepted.
    const TIMEOUT: Duration = Duration::from_hours(1);
    const CONCURRENCY: usize = 4;
    const MAX_BACKOFF: Duration = Duration::from_mins(10);

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        let delivery = Delivery::GivenUp(reason.to_owned());
        super::record_delivery(&mut **tx, &[self.notification_id], &delivery, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        super::store::set_queued_again(tx, &[self.notification_id]).await
    }
}

/// Sends a mail that has gathered notifications.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendGroup {
    pub envoi_id: i64,
}

impl Job for SendGroup {
    const QUEUE: &'static str = "emails.group";
    const MAX_ATTEMPTS: usize = SendEmail::MAX_ATTEMPTS;
    const TIMEOUT: Duration = SendEmail::TIMEOUT;
    const CONCURRENCY: usize = SendEmail::CONCURRENCY;
    const MAX_BACKOFF: Duration = SendEmail::MAX_BACKOFF;

    fn key(&self) -> Option<String> {
        Some(self.envoi_id.to_string())
    }

    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, now: DateTime<Utc>) -> Result<()> {
        let Some(given_up) = super::envois::close(tx, self.envoi_id, now).await? else {
            return Ok(());
        };
        let delivery = Delivery::GivenUp(reason.to_owned());
        super::record_delivery(&mut **tx, &given_up.waiting, &delivery, now).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        super::envois::revive(tx, self.envoi_id).await
    }
}
