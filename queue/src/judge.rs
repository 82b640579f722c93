//! Decides what becomes of a job, by the result of its attempt.
use std::{borrow::Cow, time::Duration};

use apalis_core::error::{AbortError, BoxDynError, DeferredError, RetryAfterError};
use serde_json::Value;

use crate::{
    Claimed, Error, Finished, Options, Outage, Outcome, Stale, breaker::PROBE_BACKOFF, error::chain,
};

/// The longest pause between two attempts while the database is away.
const AWAY: Duration = Duration::from_mins(1);
/// The pause after apalis's `DeferredError`, which names none.
const DEFERRED: Duration = Duration::from_secs(1);

/// The pause after the `attempt`-th failure: 2 s, 4 s, 8 s… up to `longest`. Jitter is applied when it is stored.
#[must_use]
pub fn backoff(attempt: u32, longest: Duration) -> Duration {
    Duration::from_secs(1 << attempt.clamp(1, 16)).min(longest)
}

/// The dependency of this queue that the error reports as unavailable.
pub(crate) fn away(options: &Options, error: &BoxDynError) -> Option<Cow<'static, str>> {
    let named = error.downcast_ref::<Outage>()?.dependency.as_ref()?;
    options.needs.iter().find(|need| *need == named).cloned()
}

/// The outcome of an attempt, with its pause and error.
pub(crate) fn judge(
    options: &Options,
    job: &Claimed,
    result: Result<Option<Value>, &BoxDynError>,
) -> Finished {
    let base = Finished::stale(job);
    let error = match result {
        Ok(result) => return Finished { outcome: Outcome::Done, result, ..base },
        Err(error) => error,
    };
    if error.is::<Stale>() || matches!(error.downcast_ref(), Some(Error::LeaseLost)) {
        return base;
    }
    if let Some(later) = error.downcast_ref::<RetryAfterError>() {
        return Finished { outcome: Outcome::Snooze, pause: later.get_duration(), ..base };
    }
    if error.is::<DeferredError>() {
        return Finished { outcome: Outcome::Snooze, pause: DEFERRED, ..base };
    }
    let text = text(error);
    let outage = error.downcast_ref::<Outage>();
    if outage.is_some() || error.downcast_ref().is_some_and(Error::is_away) {
        // It costs no attempt, so that the job is as good as before.
        let outage_of = away(options, error);
        let longest = match outage {
            // All jobs that wait for the service wait for the probe: it tries again soon.
            Some(_) if job.probe && outage_of.is_some() => PROBE_BACKOFF,
            Some(outage) => outage.longest_pause,
            None => AWAY,
        };
        let again = job.outage() < options.outage_limit;
        let outcome = if again { Outcome::Outage } else { Outcome::Dead };
        let outages = u32::try_from(job.outages).unwrap_or(0) + 1;
        let pause = backoff(outages, longest);
        return Finished { outcome, pause, error: Some(text), outage_of, ..base };
    }
    let attempt = job.own_attempts();
    let again = !error.is::<AbortError>()
        && attempt < job.allowed_attempts(options.max_attempts)
        && job.is_spent(options.max_attempts).is_none();
    let outcome = if again { Outcome::Retry } else { Outcome::Dead };
    let pause = backoff(attempt, options.max_backoff);
    Finished { outcome, pause, error: Some(text), ..base }
}

/// The text that is recorded of an error; of apalis's `AbortError` only the error that it wraps.
fn text(error: &BoxDynError) -> String {
    let inner = error.downcast_ref::<AbortError>().and_then(std::error::Error::source);
    inner.map_or_else(|| chain(&**error), chain)
}
