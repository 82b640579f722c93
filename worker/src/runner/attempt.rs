//! One attempt, from its log line to what is to be recorded of it.
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use erp_core::{
    Ctx, Error, Result,
    jobs::{
        self, CAUSE, Cause, Dependency, Lease, OUTAGE_BACKOFF, Verdict,
        breaker::PROBE_BACKOFF,
        life::{Ended, Outcome, Taken},
    },
    metrics, telemetry,
};
use futures_util::FutureExt as _;
use tracing::Instrument as _;

use super::{Breakers, Handler};
use crate::work::Work;

/// `work` within `limit`; late or panicked it has failed like any other.
pub(super) async fn guarded(
    limit: Duration,
    work: impl Future<Output = Result<Verdict>>,
) -> Result<Verdict> {
    match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(Error::Internal(anyhow::anyhow!("panicked: {}", said(&*panic)))),
        Err(_) => Err(Error::Internal(anyhow::anyhow!("not done within {limit:?}"))),
    }
}

/// The message of a panic.
pub(super) fn said(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Runs `job` once, under `lease`, and says what is to become of it.
pub(super) async fn run(
    ctx: Ctx,
    handler: &Handler,
    job: &Taken,
    lease: Lease,
    breakers: Arc<Breakers>,
) -> Ended {
    let queue = handler.queue;
    let request_id = job.request_id.as_deref().unwrap_or_default();
    // Of the highest level: whatever is logged of an attempt says which.
    let span = tracing::error_span!("job", job.id = job.id, job.type = queue, job.attempt = job.attempt, request_id);
    telemetry::adopt(&span, job.traceparent.as_deref());
    let cause = Cause(request_id.parse().ok());
    let work = async {
        let started = Instant::now();
        metrics::JOB_WAIT.with_label_values(&[queue]).observe(job.waited);
        let result = if let Some(why) = job.is_spent(handler.max_attempts) {
            Err(Error::Internal(anyhow::anyhow!(why)))
        } else {
            let work = Work::new(ctx, Some(lease), breakers.clone());
            (handler.run)(work, &job.payload).await
        };
        if let Err(error) = &result
            && let Some(dependency) = away(handler, error)
        {
            breakers.failed(dependency, &format!("{error:#}"), &job.id, job.probe).await;
        }
        let ended = judge(handler, job, result);
        let duration = started.elapsed();
        let outcome = ended.outcome.as_str();
        metrics::JOB_SECONDS.with_label_values(&[queue]).observe(duration.as_secs_f64());
        metrics::JOBS_ENDED.with_label_values(&[queue, outcome]).inc();
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let error = ended.error.as_deref();
        match ended.outcome {
            Outcome::Done | Outcome::Snooze | Outcome::Stale => {
                tracing::info!(duration_ms, outcome, "job");
            }
            Outcome::Retry | Outcome::Outage => tracing::warn!(duration_ms, outcome, error, "job"),
            Outcome::Dead => tracing::error!(duration_ms, outcome, error, "job"),
        }
        ended
    };
    CAUSE.scope(cause, work.instrument(span)).await
}

/// What `error` says is away, of what jobs of this type need.
fn away(handler: &Handler, error: &Error) -> Option<Dependency> {
    let Error::Unavailable { what, .. } = error else { return None };
    handler.needs.iter().copied().find(|need| need.as_str() == *what)
}

/// Done, not now, again later, or dead.
fn judge(handler: &Handler, job: &Taken, result: Result<Verdict>) -> Ended {
    let attempt = job.own_attempts();
    let outage_of = result.as_ref().err().and_then(|error| away(handler, error));
    let (outcome, pause, error) = match result {
        Ok(Verdict::Done) => (Outcome::Done, Duration::ZERO, None),
        Ok(Verdict::Snooze(pause)) => (Outcome::Snooze, pause, None),
        Err(Error::LeaseLost) => (Outcome::Stale, Duration::ZERO, None),
        // It costs time, not attempts: the job is as good as before.
        Err(error @ (Error::Unavailable { .. } | Error::Deferred(_))) => {
            let outages = usize::try_from(job.outages).unwrap_or(0) + 1;
            let longest = match error {
                // The one that asks for all asks often.
                Error::Unavailable { .. } if job.probe => PROBE_BACKOFF,
                Error::Unavailable { .. } => OUTAGE_BACKOFF,
                _ => jobs::DEFERRED_BACKOFF,
            };
            let again = job.outage() < handler.outage_limit;
            let outcome = if again { Outcome::Outage } else { Outcome::Dead };
            (outcome, jobs::backoff(outages, longest), Some(format!("{error:#}")))
        }
        Err(error) => {
            let again = error.is_transient()
                && attempt < handler.max_attempts
                && job.is_spent(handler.max_attempts).is_none();
            let outcome = if again { Outcome::Retry } else { Outcome::Dead };
            (outcome, jobs::backoff(attempt, handler.max_backoff), Some(format!("{error:#}")))
        }
    };
    Ended { id: job.id.clone(), since: job.since, outcome, pause, error, outage_of }
}
