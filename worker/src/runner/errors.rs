//! Translates our errors to those of the queue.
use std::borrow::Cow;

use apalis::prelude::{AbortError, RetryAfterError};
use apalis_hot::{Outage, Stale};
use erp_core::{Error, Result, jobs::Verdict};

use super::{DEFERRED_BACKOFF, OUTAGE_BACKOFF};

pub(super) type BoxDynError = Box<dyn std::error::Error + Send + Sync>;

/// The result of a handler in terms of the queue: done, not now, stale, outage, again later, or never again.
pub(super) fn said(result: Result<Verdict>) -> Result<(), BoxDynError> {
    let error = match result {
        Ok(Verdict::Done) => return Ok(()),
        Ok(Verdict::Snooze(pause)) => return Err(RetryAfterError::new("not now", pause).into()),
        Err(error) => error,
    };
    Err(match error {
        Error::LeaseLost => Stale.into(),
        Error::Unavailable { what, .. } => outage(&error, Some(Cow::Borrowed(what))),
        Error::Deferred(_) => outage(&error, None),
        error if error.is_transient() => text(&error).into(),
        error => AbortError::new(text(&error)).into(),
    })
}

fn outage(error: &Error, dependency: Option<Cow<'static, str>>) -> BoxDynError {
    let longest_pause = if dependency.is_some() { OUTAGE_BACKOFF } else { DEFERRED_BACKOFF };
    Outage { dependency, longest_pause, source: text(error).into() }.into()
}

/// The error with its causes.
fn text(error: &Error) -> String {
    format!("{error:#}")
}

/// The error of a hook. When something is unavailable, it says that the queue's database is away, so that the hook is
/// called again.
pub(super) fn in_hook(error: &Error) -> BoxDynError {
    if error.is_unavailable() {
        let away = std::io::Error::other(text(error));
        return apalis_hot::Error::from(sqlx::Error::Io(away)).into();
    }
    text(error).into()
}
