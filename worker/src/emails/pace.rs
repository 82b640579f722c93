//! Waiting for one's moment (`SMTP_MAX_PER_MINUTE`), in place, and for no longer than the attempt may.
use std::time::Duration;

use erp_core::{
    Result,
    jobs::Verdict,
    mailer::pace::{self, Moment},
};

use crate::work::Work;

/// Before a connection is used: no connection is held for the long wait. `Some`: the attempt is over.
pub(super) async fn begin(work: &Work) -> Result<Option<Verdict>> {
    wait(work, "smtp.conversation").await
}

/// Once more before the body: conversations that took longer than others do not begin to transmit together. Where they went
/// alike there is nothing to wait for.
pub(super) async fn transmit(work: &Work) -> Result<Option<Verdict>> {
    wait(work, "smtp.transmission").await
}

async fn wait(work: &Work, name: &str) -> Result<Option<Verdict>> {
    let Some(per_minute) = work.config.mail.per_minute else { return Ok(None) };
    match pace::reserve(&work.pool, name, per_minute).await? {
        Moment::In(Duration::ZERO) => Ok(None),
        Moment::In(wait) => tokio::select! {
            () = tokio::time::sleep(wait) => Ok(None),
            () = work.cancelled() => Ok(Some(Verdict::Snooze(Duration::ZERO))),
        },
        Moment::NotBefore(wait) => Ok(Some(Verdict::Snooze(wait))),
    }
}
