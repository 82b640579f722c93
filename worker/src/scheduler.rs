//! Looks at the clock: whichever worker is first enqueues the job of a schedule that is due.
use std::{convert::Infallible, time::Duration};

use erp_core::{Ctx, Result, metrics, schedules};

/// The longest pause: a schedule that was edited, or a worker that vanished, is noticed within it.
const LONGEST: Duration = Duration::from_secs(1);
/// The shortest: after a tick that another worker is just enqueueing.
const SHORTEST: Duration = Duration::from_millis(20);

/// A database that does not answer for so long is away; a transaction that is dropped has enqueued nothing.
const LIMIT: Duration = Duration::from_secs(10);

/// For ever.
pub(crate) async fn run(ctx: &Ctx) -> Infallible {
    loop {
        let pause = match tokio::time::timeout(LIMIT, look(ctx)).await {
            Ok(Ok(pause)) => pause.clamp(SHORTEST, LONGEST),
            Err(_) => {
                tracing::warn!(
                    "the schedules could not be looked at: the database does not answer"
                );
                LONGEST
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the schedules could not be looked at"
                );
                LONGEST
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Enqueues what is due; how long until the next tick.
async fn look(ctx: &Ctx) -> Result<Duration> {
    let next = schedules::seconds_to_next(&ctx.pool).await?;
    if next.is_some_and(|seconds| seconds > 0.0) {
        return Ok(next.map_or(LONGEST, Duration::from_secs_f64));
    }
    let mut tx = ctx.begin().await?;
    let ticks = schedules::tick(&mut tx).await?;
    tx.commit().await?;
    for (schedule, tick) in &ticks {
        tracing::info!(schedule, %tick, "due");
        metrics::SCHEDULE_TICKS.with_label_values(&[schedule]).inc();
    }
    Ok(if ticks.is_empty() { LONGEST } else { SHORTEST })
}
