//! What Prometheus is told (`docs/metrics.md`): counted where it happens, the state of the queues asked of the database
//! when somebody looks.
use std::{
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::{
    Encoder as _, Gauge, GaugeVec, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, TextEncoder,
    register_gauge, register_gauge_vec, register_histogram_vec, register_int_counter_vec,
    register_int_gauge, register_int_gauge_vec,
};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use crate::{
    Ctx, Result,
    jobs::{
        breaker::{self, BreakerOut},
        operate::{self, QueueOut},
    },
    local,
    notifications::envois,
    reconcile::{self, Finding},
};

/// Of what [`render`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// From a millisecond to two minutes.
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
        "erp_outside_duration_seconds", "Calls of services outside: smtp, storage.", &["service", "outcome"], SECONDS.to_vec());
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

/// Shows at 0 what has not happened yet: a counter that is born with its first event shows no increase to whoever watches.
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

/// Times `call` of `service`.
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

/// For the database to answer at all: past it, it is down.
const ANSWER: Duration = Duration::from_secs(2);
/// For the queues to be counted: past it, what was counted before is shown on, with its age.
const COUNT: Duration = Duration::from_secs(1);
/// Counts of before are shown for so long.
const SHOWN: Duration = Duration::from_mins(1);

/// When the queues were last counted.
static COUNTED: Mutex<Option<Instant>> = Mutex::new(None);

/// The whole in Prometheus's text format, within some three seconds. Of a database that is down: what this process knows. One
/// that answers and does not count in time is slow, not down.
pub async fn render(ctx: &Ctx) -> Result<String> {
    let up = timeout(ANSWER, async {
        let mut connection = ctx.aside.pool().acquire().await?;
        connection.ping().await?;
        Ok::<_, sqlx::Error>(connection)
    })
    .await;
    let counted = if let Ok(Ok(mut connection)) = up {
        DATABASE_UP.set(1);
        // Longer than the server's own limit for it: only a server that vanished just now is later.
        let late = |_| Err(anyhow::anyhow!("no answer within {:?}", 2 * COUNT).into());
        timeout(2 * COUNT, count(&mut connection, ctx.clock.now())).await.unwrap_or_else(late)
    } else {
        DATABASE_UP.set(0);
        Err(anyhow::anyhow!("the database does not answer").into())
    };
    show(counted);
    let (size, idle) = (i64::from(ctx.pool.size()), ctx.pool.num_idle());
    let idle = i64::try_from(idle).unwrap_or(i64::MAX).min(size);
    POOL.with_label_values(&["used"]).set(size - idle);
    POOL.with_label_values(&["idle"]).set(idle);
    POOL.with_label_values(&["max"]).set(i64::from(ctx.config.database.max_connections));

    let (used, copies) = (local::in_force(), local::rules::copies());
    TIME_ZONE_RULES.with_label_values(&["in_force"]).set(used.version.number());
    TIME_ZONE_RULES.with_label_values(&["bundle"]).set(copies.bundle.number());
    let system = copies.system.map_or(0, |version| version.number());
    TIME_ZONE_RULES.with_label_values(&["system"]).set(system);

    let mut text = Vec::new();
    TextEncoder::new().encode(&prometheus::gather(), &mut text).map_err(anyhow::Error::from)?;
    Ok(String::from_utf8(text).map_err(anyhow::Error::from)?)
}

/// What the database says of queues, mails, breakers, and of the last night.
#[derive(Default)]
struct Counted {
    queues: Vec<QueueOut>,
    findings: Vec<Finding>,
    in_doubt: i64,
    breakers: Vec<BreakerOut>,
}

/// Asks the database, or is an error when the server has ended the counting after [`COUNT`].
async fn count(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<Counted> {
    let mut tx = connection.begin().await?;
    let limit = format!("{}ms", COUNT.as_millis());
    sqlx::query_scalar!("select set_config('statement_timeout', $1, true)", limit)
        .fetch_one(&mut *tx)
        .await?;
    let queues = operate::queues(&mut *tx).await?;
    let findings = reconcile::findings(&mut *tx).await?;
    let in_doubt = envois::count_in_doubt(&mut *tx, now - TimeDelta::days(1)).await?;
    let breakers = breaker::list(&mut *tx).await?;
    tx.rollback().await?;
    Ok(Counted { queues, findings, in_doubt, breakers })
}

/// Shows `counted`; instead of an error what was counted before, as long as it is not too old.
fn show(counted: Result<Counted>) {
    let mut last = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = &counted {
        tracing::warn!(%error, "the queues were not counted");
    } else {
        *last = Some(Instant::now());
    }
    let age = last.map(|at| at.elapsed());
    QUEUES_AGE.set(age.map_or(f64::NAN, |age| age.as_secs_f64()));
    if counted.is_err() && age.is_some_and(|age| age < SHOWN) {
        return;
    }
    QUEUE_JOBS.reset();
    QUEUE_OLDEST.reset();
    QUEUE_PAUSED.reset();
    let Counted { queues, findings, in_doubt, breakers } = counted.unwrap_or_default();
    BREAKER_OPEN.reset();
    for breaker in breakers {
        BREAKER_OPEN.with_label_values(&[&breaker.dependency]).set(i64::from(breaker.open));
    }
    MAILS_IN_DOUBT.set(in_doubt);
    for queue in queues {
        let name = queue.name.as_str();
        let counts = [
            ("ready", queue.ready),
            ("scheduled", queue.scheduled),
            ("retrying", queue.retrying),
            ("running", queue.running),
            ("dead", queue.dead),
        ];
        for (state, count) in counts {
            QUEUE_JOBS.with_label_values(&[name, state]).set(count);
        }
        QUEUE_OLDEST.with_label_values(&[name]).set(queue.oldest_ready_seconds.unwrap_or(0.0));
        QUEUE_PAUSED.with_label_values(&[name]).set(i64::from(queue.paused));
    }
    RECONCILER.reset();
    for Finding { finding, found, mended, .. } in findings {
        for (label, count) in [("true", mended), ("false", found - mended)] {
            RECONCILER.with_label_values(&[finding.as_str(), label]).set(i64::from(count));
        }
    }
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
