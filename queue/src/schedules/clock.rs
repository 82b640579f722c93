//! The loop that looks at the clock.
use std::{convert::Infallible, time::Duration};

use sqlx::PgPool;
use tokio::time::{sleep, timeout};

use super::{Scheduled, seconds_to_next, tick};
use crate::{Announcer, Error, Result, error::chain};

/// The longest pause: a schedule that was edited, or a process that vanished, is noticed within it.
const LONGEST: Duration = Duration::from_secs(1);
/// The shortest: after a tick that another process is just enqueueing.
const SHORTEST: Duration = Duration::from_millis(20);
/// A database that does not answer for so long is away; a transaction that is dropped has enqueued nothing.
const LIMIT: Duration = Duration::from_secs(10);

/// Enqueues what comes due, for ever. As many processes as one likes may do so: whichever is first takes a tick. Jobs are
/// announced by `announcer`.
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

/// Enqueues what is due; how long until the next tick.
async fn look(
    pool: &PgPool,
    scheduled: &(impl Scheduled + ?Sized),
    announcer: &Announcer,
) -> Result<Duration> {
    let next = seconds_to_next(pool, scheduled).await?;
    if next.is_none_or(|seconds| seconds > 0.0) {
        return Ok(next.map_or(LONGEST, |seconds| Duration::from_secs_f64(seconds.min(60.0))));
    }
    let mut tx = scheduled.prepare(pool.begin().await?).await.map_err(Error::Schedule)?;
    let ticks = tick(&mut tx, scheduled).await?;
    tx.commit().await?;
    announcer.announce(ticks.iter().map(|tick| tick.queue.as_str()));
    for tick in &ticks {
        scheduled.ticked(tick);
    }
    Ok(if ticks.is_empty() { LONGEST } else { SHORTEST })
}
