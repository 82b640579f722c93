//! Tells those who look at the jobs when something has changed: one look for a whole process, however many look on, and none when
//! nobody does.
use std::{convert::Infallible, sync::atomic::Ordering::SeqCst, time::Duration};

use apalis_hot::{Reserved, hear};
use tokio::sync::{Notify, watch};

use super::{breakers, queues};
use crate::{Ctx, Result, onlookers::Seen};

/// A look after this time in any case: jobs end without an announcement.
const LOOK: Duration = Duration::from_secs(5);
/// Not more looks than one in this time, however many jobs are announced.
const GATHER: Duration = Duration::from_secs(1);
/// What is shown has times that pass: after so many looks it counts as changed.
const STALE_AFTER: u32 = 6;

/// What is seen from now on. The look begins with the first who asks, and ends when nobody holds an answer.
#[must_use]
pub fn watch(ctx: &Ctx) -> watch::Receiver<Seen> {
    let receiver = ctx.onlookers.seen.subscribe();
    if !ctx.onlookers.is_looking.swap(true, SeqCst) {
        let ctx = ctx.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "nothing is lost with it: it shows what is stored"
        )]
        drop(tokio::spawn(async move { look(&ctx).await }));
    }
    receiver
}

async fn look(ctx: &Ctx) {
    let onlookers = &ctx.onlookers;
    loop {
        let woken = Notify::new();
        tokio::select! {
            () = look_while_watched(ctx, &woken) => {}
            never = listen(ctx, &woken) => match never {},
        }
        onlookers.is_looking.store(false, SeqCst);
        // Who came since the last glance at their number was told that there is a look.
        if !onlookers.are_there() || onlookers.is_looking.swap(true, SeqCst) {
            return;
        }
    }
}

async fn look_while_watched(ctx: &Ctx, woken: &Notify) {
    let onlookers = &ctx.onlookers;
    // What the last look has seen, so that a change between two looks is one, too.
    let mut last = onlookers.last.lock().await;
    if last.is_empty() {
        *last = digest(ctx).await.unwrap_or_default();
    }
    let mut looks = 0;
    while onlookers.are_there() {
        tokio::time::sleep(GATHER).await;
        let _ = tokio::time::timeout(LOOK.saturating_sub(GATHER), woken.notified()).await;
        looks += 1;
        match digest(ctx).await {
            Ok(now) if now != *last || looks >= STALE_AFTER => {
                (*last, looks) = (now, 0);
                let time = ctx.clock.now().timestamp_millis();
                onlookers.seen.send_modify(|seen| seen.number = time.max(seen.number + 1));
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "jobs cannot be looked at"),
        }
    }
}

/// Wakes the look when a job is announced, on a connection of its own; while that is lost, the look goes by its clock.
async fn listen(ctx: &Ctx, woken: &Notify) -> Infallible {
    let mut line = Reserved::beside(&ctx.pool);
    loop {
        let Err(error) = hear(line.pool(), |_| woken.notify_one()).await;
        tracing::debug!(%error, "not listening for jobs, looking every few seconds");
        line.renew();
        tokio::time::sleep(LOOK).await;
    }
}

/// A text that is another when something has changed.
async fn digest(ctx: &Ctx) -> Result<String> {
    let mut queues = queues(&ctx.pool).await?;
    for queue in &mut queues {
        queue.oldest_ready_seconds = None;
    }
    Ok(format!("{queues:?}{:?}", breakers::list(&ctx.pool).await?))
}
