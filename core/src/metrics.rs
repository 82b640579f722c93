//! The metrics of a process (`docs/metrics.md`), updated where the events happen. [`crate::scrape`] renders them.
use std::sync::LazyLock;

use prometheus::{
    Gauge, GaugeVec, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, register_gauge,
    register_gauge_vec, register_histogram_vec, register_int_counter_vec, register_int_gauge,
    register_int_gauge_vec,
};

/// The buckets of durations, in seconds: from a millisecond to two minutes.
const SECONDS: &[f64] =
    &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// Why registering cannot fail: names and labels are constants, each registered once.
const CONSTANT: &str = "metrics have constant, different names";

macro_rules! metrics {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $make:expr;)+) => {
        $($(#[$doc])* pub static $name: LazyLock<$type> = LazyLock::new(|| $make.expect(CONSTANT));)+
    };
}

metrics! {
    JOBS_ENDED: IntCounterVec = register_int_counter_vec!(
        "erp_job_attempts_total", "Attempts of jobs that ended in this process.", &["queue", "outcome"]);
    JOB_SECONDS: HistogramVec = register_histogram_vec!(
        "erp_job_duration_seconds", "How long attempts took.", &["queue"], SECONDS.to_vec());
    JOB_WAIT: HistogramVec = register_histogram_vec!(
        "erp_job_wait_seconds", "How long jobs were ready before a worker took them.", &["queue"], SECONDS.to_vec());
    JOBS_RESCUED: IntCounterVec = register_int_counter_vec!(
        "erp_jobs_rescued_total", "Jobs that this process took from workers that vanished.", &["queue"]);
    JOBS_UNTOLD: IntCounterVec = register_int_counter_vec!(
        "erp_jobs_untold_total", "Deaths of jobs of which the business could not be told.", &["queue"]);
    JOBS_RUNNING: IntGaugeVec = register_int_gauge_vec!(
        "erp_jobs_running", "Jobs that this process runs.", &["queue"]);
    SCHEDULE_TICKS: IntCounterVec = register_int_counter_vec!(
        "erp_schedule_ticks_total", "Ticks that this process enqueued.", &["schedule"]);
    MAILS: IntCounterVec = register_int_counter_vec!(
        "erp_mails_total", "Transmissions of mails, by what was recorded of them.", &["outcome"]);
    OUTSIDE: HistogramVec = register_histogram_vec!(
        "erp_outside_duration_seconds", "Calls of services outside: smtp, storage, oidc.", &["service", "outcome"], SECONDS.to_vec());
    HTTP_SECONDS: HistogramVec = register_histogram_vec!(
        "erp_http_request_duration_seconds", "Requests by route and status.", &["method", "route", "status"], SECONDS.to_vec());
    QUEUE_JOBS: IntGaugeVec = register_int_gauge_vec!(
        "erp_queue_jobs", "Jobs of a queue by state, counted up to 10 000.", &["queue", "state"]);
    QUEUE_OLDEST: GaugeVec = register_gauge_vec!(
        "erp_queue_oldest_ready_seconds", "Age of the job that has been ready the longest; 0 when none is.", &["queue"]);
    QUEUE_PAUSED: IntGaugeVec = register_int_gauge_vec!(
        "erp_queue_paused", "1 while an operator has paused the queue.", &["queue"]);
    MAILS_IN_DOUBT: IntGauge = register_int_gauge!(
        "erp_mails_in_doubt", "Mails of the last day of which nobody knows whether they left, and that are kept; up to 1000.");
    RECONCILER: IntGaugeVec = register_int_gauge_vec!(
        "erp_reconciler_findings", "What the last nightly comparison of rows and jobs found, and what of it was mended.",
        &["finding", "mended"]);
    QUEUES_AGE: Gauge = register_gauge!(
        "erp_queue_counts_age_seconds", "How old what is shown of the queues is: 0 unless the database was too slow just now.");
    BREAKER_OPEN: IntGaugeVec = register_int_gauge_vec!(
        "erp_breaker_open", "1 while jobs wait for a service outside that is away.", &["dependency"]);
    DATABASE_UP: IntGauge = register_int_gauge!(
        "erp_database_up", "Whether the database answered this process just now.");
    POOL: IntGaugeVec = register_int_gauge_vec!(
        "erp_database_connections", "Connections of this process: used, idle, and the most there may be.", &["state"]);
    TIME_ZONE_RULES: IntGaugeVec = register_int_gauge_vec!(
        "erp_time_zone_rules", "Release of the time zone rules, as a number (202606 for 2026f).", &["copy"]);
}

/// Creates the counters at 0: one that first appears with its first event shows no increase to Prometheus.
pub fn begin(queues: &[&str], schedules: &[&str]) {
    for queue in queues {
        JOBS_RESCUED.with_label_values(&[queue]);
        JOBS_UNTOLD.with_label_values(&[queue]);
        for outcome in ["done", "retry", "outage", "snooze", "dead", "stale"] {
            JOBS_ENDED.with_label_values(&[*queue, outcome]);
        }
    }
    for outcome in ["envoyee", "en_file", "en_transmission", "incertaine", "annulee"] {
        MAILS.with_label_values(&[outcome]);
    }
    for schedule in schedules {
        SCHEDULE_TICKS.with_label_values(&[schedule]);
    }
}

/// Records the duration and the outcome of `call` to `service`.
pub async fn outside<T, E>(
    service: &'static str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let started = std::time::Instant::now();
    let result = call.await;
    let outcome = if result.is_ok() { "ok" } else { "error" };
    OUTSIDE.with_label_values(&[service, outcome]).observe(started.elapsed().as_secs_f64());
    result
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// The quoted or backquoted names in `text`.
    fn names(text: &str, quote: char) -> BTreeSet<&str> {
        text.split(quote)
            .filter(|part| part.starts_with("erp_") && !part.contains(['{', ' ']))
            .collect()
    }

    #[test]
    fn the_table_of_metrics_is_what_the_code_has() {
        let code = names(include_str!("metrics.rs").split("mod tests").next().unwrap(), '"');
        let rows =
            include_str!("../../docs/metrics.md").lines().filter(|l| l.starts_with("| `erp"));
        let table: BTreeSet<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        assert!(code.len() > 10);
        assert_eq!(code, table);
    }
}
