//! The response to Prometheus: the metrics of this process, and the state of the queues, read from the database at each scrape.
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::{Encoder as _, TextEncoder};
use sqlx::{Connection as _, Postgres, pool::PoolConnection};
use tokio::time::timeout;

use crate::{
    Ctx, Result, database, local,
    metrics::{
        BREAKER_OPEN, DATABASE_UP, MAILS_IN_DOUBT, POOL, QUEUE_JOBS, QUEUE_OLDEST, QUEUE_PAUSED,
        QUEUES_AGE, RECONCILER, TIME_ZONE_RULES,
    },
    notifications::outgoing_mails,
    operate::{
        self, QueueOut,
        breakers::{self, BreakerOut},
    },
    reconcile::{self, Finding},
};

/// The content type of what [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Time limit for the database to answer at all: past it, the database counts as down.
const ANSWER: Duration = Duration::from_secs(2);
/// Time limit for a statement that counts: past it, the previous counts stay, and their age is shown.
const COUNT: Duration = Duration::from_secs(1);
/// How long previous counts stay.
const SHOWN: Duration = Duration::from_mins(1);

/// When the queues were last counted.
static COUNTED: Mutex<Option<Instant>> = Mutex::new(None);

/// All metrics in Prometheus's text format, within four seconds. If the database is down: what this process knows. A database
/// that answers and does not count in time is slow, not down.
pub async fn render(ctx: &Ctx) -> Result<String> {
    let up = timeout(ANSWER, async {
        let mut connection = ctx.aside.pool().acquire().await?;
        connection.ping().await?;
        Ok::<_, sqlx::Error>(connection)
    })
    .await;
    let counted = if let Ok(Ok(connection)) = up {
        DATABASE_UP.set(1);
        // Longer than the server's own limit for a statement: it is for a server that has just vanished.
        let late = |_| Err(anyhow::anyhow!("no answer within {:?}", 2 * COUNT).into());
        timeout(2 * COUNT, count(connection, ctx.clock.now())).await.unwrap_or_else(late)
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

/// What the database says of queues, mails and breakers, and of the last nightly comparison.
#[derive(Default)]
struct Counted {
    queues: Vec<QueueOut>,
    findings: Vec<Finding>,
    in_doubt: i64,
    breakers: Vec<BreakerOut>,
}

/// Asks the database; an error if the server has ended a statement after [`COUNT`].
async fn count(connection: PoolConnection<Postgres>, now: DateTime<Utc>) -> Result<Counted> {
    let mut tx = database::begin_on(connection).await?;
    let limit = format!("{}ms", COUNT.as_millis());
    sqlx::query_scalar!("select set_config('statement_timeout', $1, true)", limit)
        .fetch_one(&mut *tx)
        .await?;
    let queues = operate::queues(&mut *tx).await?;
    let findings = reconcile::findings(&mut *tx).await?;
    let in_doubt = outgoing_mails::count_in_doubt(&mut *tx, now - TimeDelta::days(1)).await?;
    let breakers = breakers::list(&mut *tx).await?;
    tx.rollback().await?;
    Ok(Counted { queues, findings, in_doubt, breakers })
}

/// Sets the gauges to `counted`; after an error the previous counts stay, as long as they are not too old.
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
