//! Says that this process lives, compares what it runs with what the database says it holds, and looks after the jobs of
//! those that have fallen silent.
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    time::{Duration, Instant},
};

use erp_core::{Ctx, Result, database::Reserved, jobs::life, metrics};
use sqlx::PgPool;
use tokio::time::{Interval, MissedTickBehavior, timeout};

use super::{
    process::{Key, Process},
    source::TAKE_LIMIT,
};

/// Often enough for the shortest `WORKER_RESCUE_SECONDS` that any other process may have.
const BEAT: Duration = Duration::from_secs(1);
/// A database that does not answer for so long is away, or this connection is: the next beat has a new one.
const BEAT_LIMIT: Duration = Duration::from_secs(3);
/// The same for a look at what this process holds.
const LOOK_LIMIT: Duration = Duration::from_secs(4);

/// For ever. Each of the two has a connection of its own: no handler takes it away, and the beat does not wait for the look,
/// which a lock on the jobs may hold up.
pub(super) async fn keep(ctx: &Ctx, process: &Process, queues: &str) -> Infallible {
    tokio::select! {
        never = beat(ctx, process, queues) => never,
        never = look_after(ctx, process) => never,
    }
}

async fn beat(ctx: &Ctx, process: &Process, queues: &str) -> Infallible {
    let mut line = Reserved::beside(&ctx.pool);
    let mut interval = every_beat();
    loop {
        interval.tick().await;
        let rescue_after = ctx.config.worker.rescue_after;
        let beat = life::heartbeat(line.pool(), &process.name, queues, rescue_after);
        match timeout(BEAT_LIMIT, beat).await {
            Ok(Ok(())) => {
                process.known.send_replace(true);
                continue;
            }
            Ok(Err(error)) => tracing::warn!(%error, "not heard of: the database is away"),
            Err(_) => tracing::warn!("not heard of: the database does not answer"),
        }
        line.renew();
    }
}

async fn look_after(ctx: &Ctx, process: &Process) -> Infallible {
    let mut line = Reserved::beside(&ctx.pool);
    let mut interval = every_beat();
    let mut strays = HashMap::new();
    // There is nothing to look after before the first beat.
    drop(process.known.subscribe().wait_for(|known| *known).await);
    loop {
        interval.tick().await;
        match timeout(LOOK_LIMIT, look(ctx, line.pool(), process, &mut strays)).await {
            Ok(Ok(())) => continue,
            Ok(Err(error)) => tracing::warn!(%error, "what is held was not looked at"),
            Err(_) => {
                tracing::warn!("what is held was not looked at: the database does not answer");
            }
        }
        line.renew();
    }
}

fn every_beat() -> Interval {
    let mut interval = tokio::time::interval(BEAT);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Stops what is not this process's any more, hands back what it does not know of, and rescues from others.
async fn look(
    ctx: &Ctx,
    pool: &PgPool,
    process: &Process,
    strays: &mut HashMap<Key, Instant>,
) -> Result<()> {
    // Before the question: what runs now was ours when it was taken.
    let before = process.attempts();
    let held: HashSet<_> = life::held(pool, &process.name).await?.into_iter().collect();
    for attempt in before.difference(&held) {
        process.stop(attempt);
    }
    hand_back_strays(pool, process, &held, strays).await?;
    for (queue, jobs) in life::rescue(pool, &process.name, ctx.config.worker.rescue_after).await? {
        let count = jobs.unsigned_abs();
        tracing::warn!(queue, jobs, "rescued from workers that vanished");
        metrics::JOBS_RESCUED.with_label_values(&[&queue]).inc_by(count);
    }
    Ok(())
}

/// Jobs that the database gave to this process in an answer that never came.
async fn hand_back_strays(
    pool: &PgPool,
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
        life::hand_back(pool, &process.name, Some(&lost)).await?;
        tracing::warn!(jobs = lost.len(), "handed back what an answer that was lost had brought");
    }
    Ok(())
}
