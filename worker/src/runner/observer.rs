//! Reports attempts to Prometheus and to the traces.
use std::{sync::Arc, time::Duration};

use apalis_hot::{Claimed, Observer, Outcome};
use erp_core::{metrics, operate::programs::Tally, telemetry};
use tracing::Span;

/// Counts for Prometheus, and for the charts of the console.
#[derive(Default)]
pub(super) struct Metrics(pub(super) Arc<Tally>);

impl Observer for Metrics {
    fn span(&self, job: &Claimed) -> Span {
        let request_id = job.metadata.get("request_id").map(String::as_str).unwrap_or_default();
        // At the highest level: whatever is logged of an attempt says which attempt.
        let span = tracing::error_span!("job", job.id = job.id, job.type = job.queue, job.attempt = job.attempt, request_id);
        telemetry::adopt(&span, job.metadata.get("traceparent").map(String::as_str));
        span
    }

    fn begun(&self, job: &Claimed) {
        metrics::JOB_WAIT.with_label_values(&[&job.queue]).observe(job.waited);
        metrics::JOBS_RUNNING.with_label_values(&[&job.queue]).inc();
    }

    fn ended(&self, job: &Claimed, outcome: Outcome, lasted: Duration) {
        // What was put off is neither done nor failed.
        if !matches!(outcome, Outcome::Stale | Outcome::Snooze) {
            self.0.add(&job.queue, outcome == Outcome::Done, lasted);
        }
        metrics::JOBS_RUNNING.with_label_values(&[&job.queue]).dec();
        metrics::JOB_SECONDS.with_label_values(&[&job.queue]).observe(lasted.as_secs_f64());
        metrics::JOBS_ENDED.with_label_values(&[&*job.queue, outcome.as_str()]).inc();
    }

    fn rescued(&self, queue: &str, count: u64) {
        metrics::JOBS_RESCUED.with_label_values(&[queue]).inc_by(count);
    }

    fn hook_failed(&self, queue: &str) {
        metrics::JOBS_UNTOLD.with_label_values(&[queue]).inc();
    }
}
