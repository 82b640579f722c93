//! Waits inside of the attempt for the moment that `SMTP_MAX_PER_MINUTE` allows; snoozes the job when that is too far off.
use std::time::Duration;

use erp_core::{
    Result,
    jobs::Verdict,
    mailer::pace::{self, Moment},
};

use crate::work::Work;

/// Waits before a connection is used, so that none is held during the long wait. `Some`: the attempt ends with this
/// verdict.
pub(super) async fn begin(work: &Work) -> Result<Option<Verdict>> {
    wait(work, pace::CONVERSATION).await
}

/// Waits once more before the body, so that conversations of different lengths do not begin to transmit together. When they
/// took equally long there is nothing to wait for.
pub(super) async fn transmit(work: &Work) -> Result<Option<Verdict>> {
    wait(work, pace::TRANSMISSION).await
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
