//! Our errors in the words of the queue.
use std::borrow::Cow;

use apalis::prelude::{AbortError, RetryAfterError};
use apalis_hot::{Outage, Stale};
use erp_core::{Error, Result, jobs::Verdict};

use super::{DEFERRED_BACKOFF, OUTAGE_BACKOFF};

pub(super) type BoxDynError = Box<dyn std::error::Error + Send + Sync>;

/// What a handler has said: done, not now, again later, or never.
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

/// With all that led to it.
fn text(error: &Error) -> String {
    format!("{error:#}")
}

/// What a hook could not do: a database that is away is waited for.
pub(super) fn in_hook(error: &Error) -> BoxDynError {
    if error.is_unavailable() {
        let away = std::io::Error::other(text(error));
        return apalis_hot::Error::from(sqlx::Error::Io(away)).into();
    }
    text(error).into()
}
