//! The loop that enqueues the jobs of schedules that come due.
use std::{convert::Infallible, time::Duration};

use sqlx::PgPool;
use tokio::time::{sleep, timeout};

use super::{Scheduled, seconds_to_next, tick};
use crate::{Announcer, Error, Result, error::chain};

/// The longest pause: the edit of a schedule, or a tick whose process died, is noticed within it.
const LONGEST: Duration = Duration::from_secs(1);
/// The shortest pause, also after a look that has enqueued a job.
const SHORTEST: Duration = Duration::from_millis(20);
/// The time limit of a look. Its transaction is dropped then, and has enqueued nothing.
const LIMIT: Duration = Duration::from_secs(10);

/// Enqueues what comes due, and never ends. Any number of processes may do so: the first takes a tick. Jobs are announced by
/// `announcer`.
pub async fn run(
    pool: &PgPool,
    scheduled: &(impl Scheduled + ?Sized),
    announcer: &Announcer,
) -> Infallible {
    loop {
        let looked = match timeout(LIMIT, look(pool, scheduled, announcer)).await {
            Ok(looked) => looked.map_err(|error| chain(&error)),
            Err(_) => Err("the database does not answer".to_owned()),
        };
        let pause = looked.unwrap_or_else(|error| {
            tracing::warn!(error, "the schedules could not be looked at");
            LONGEST
        });
        sleep(pause.clamp(SHORTEST, LONGEST)).await;
    }
}

/// Enqueues what is due; returns how long to pause.
async fn look(
    pool: &PgPool,
    scheduled: &(impl Scheduled + ?Sized),
    announcer: &Announcer,
) -> Result<Duration> {
    let next = seconds_to_next(pool, scheduled).await?;
    if next.is_none_or(|seconds| seconds > 0.0) {
        return Ok(next.map_or(LONGEST, |seconds| Duration::from_secs_f64(seconds.min(60.0))));
    }
    let mut tx = scheduled.prepare(crate::begin(pool).await?).await.map_err(Error::Schedule)?;
    let ticks = tick(&mut tx, scheduled).await?;
    tx.commit().await?;
    announcer.announce(ticks.iter().map(|tick| tick.queue.as_str()));
    for tick in &ticks {
        scheduled.ticked(tick);
    }
    Ok(if ticks.is_empty() { LONGEST } else { SHORTEST })
}
