//! Says that this process lives, compares what it runs with what the database says it holds, and looks after the jobs of
//! those that have fallen silent.
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    time::{Duration, Instant},
};

use erp_core::{Ctx, Result, jobs::life, metrics};
use tokio::time::timeout;

use super::{
    process::{Key, Process},
    source::TAKE_LIMIT,
};

/// Often enough for the shortest `WORKER_RESCUE_SECONDS` that any other process may have.
const BEAT: Duration = Duration::from_secs(1);
/// A database that does not answer for so long is away.
const BEAT_LIMIT: Duration = Duration::from_secs(4);

/// For ever.
pub(super) async fn keep(ctx: &Ctx, process: &Process, queues: &str) -> Infallible {
    let rescue_after = ctx.config.worker.rescue_after;
    let mut interval = tokio::time::interval(BEAT);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut strays = HashMap::new();
    // Since when, and until when, this process has been heard of without a gap. After an outage all others seem silent.
    let mut heard: Option<(Instant, Instant)> = None;
    loop {
        interval.tick().await;
        let steady = heard.is_some_and(|(since, _)| since.elapsed() > rescue_after);
        let beat = beat(ctx, process, queues, steady.then_some(rescue_after), &mut strays);
        match timeout(BEAT_LIMIT, beat).await {
            Ok(Ok(())) => {
                let now = Instant::now();
                let since = heard
                    .filter(|(_, last)| now - *last < 2 * BEAT + BEAT_LIMIT)
                    .map(|(since, _)| since);
                heard = Some((since.unwrap_or(now), now));
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "not heard of: the database is away");
                heard = None;
            }
            Err(_) => {
                tracing::warn!("not heard of: the database does not answer");
                heard = None;
            }
        }
    }
}

async fn beat(
    ctx: &Ctx,
    process: &Process,
    queues: &str,
    rescue_after: Option<Duration>,
    strays: &mut HashMap<Key, Instant>,
) -> Result<()> {
    life::heartbeat(&ctx.pool, &process.name, queues).await?;
    process.known.send_replace(true);
    // Before the question: what runs now was ours when it was taken.
    let before = process.attempts();
    let held: HashSet<_> = life::held(&ctx.pool, &process.name).await?.into_iter().collect();
    for attempt in before.difference(&held) {
        process.stop(attempt);
    }
    hand_back_strays(ctx, process, &held, strays).await?;
    let Some(rescue_after) = rescue_after else { return Ok(()) };
    for (queue, jobs) in life::rescue(&ctx.pool, rescue_after).await? {
        let count = jobs.unsigned_abs();
        tracing::warn!(queue, jobs, "rescued from workers that vanished");
        metrics::JOBS_RESCUED.with_label_values(&[&queue]).inc_by(count);
    }
    Ok(())
}

/// Jobs that the database gave to this process in an answer that never came.
async fn hand_back_strays(
    ctx: &Ctx,
    process: &Process,
    held: &HashSet<Key>,
    strays: &mut HashMap<Key, Instant>,
) -> Result<()> {
    let known = process.attempts();
    strays.retain(|attempt, _| held.contains(attempt) && !known.contains(attempt));
    for attempt in held.difference(&known) {
        strays.entry(attempt.clone()).or_insert_with(Instant::now);
    }
    // No answer is waited for as long.
    let lost: Vec<_> = strays
        .iter()
        .filter(|(_, since)| since.elapsed() > TAKE_LIMIT * 2)
        .map(|(attempt, _)| attempt.clone())
        .collect();
    if !lost.is_empty() {
        life::hand_back(&ctx.pool, &process.name, Some(&lost)).await?;
        tracing::warn!(jobs = lost.len(), "handed back what an answer that was lost had brought");
    }
    Ok(())
}
