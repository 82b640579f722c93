//! Keeps a process known: writes its heartbeats, compares what it runs with what the database says it holds, and rescues the
//! jobs of processes that have fallen silent.
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    time::{Duration, Instant},
};

use sqlx::PgPool;
use tokio::time::{Interval, MissedTickBehavior, timeout};

use super::Process;
use crate::{
    Result, admin,
    backend::CLAIM_LIMIT,
    breaker,
    presence::{self, Key},
    reserved::Reserved,
};

/// The interval of heartbeats and looks: short enough for the shortest silence that any process may be set to.
const BEAT: Duration = Duration::from_secs(1);
/// A heartbeat that is not answered within this time has failed: the database or the connection is down, and the next heartbeat
/// uses a new connection.
const BEAT_LIMIT: Duration = Duration::from_secs(3);
/// The same for a look at what this process holds.
const LOOK_LIMIT: Duration = Duration::from_secs(4);
/// How often the days of the ledger are kept: it has some ahead, so that once an hour is enough.
const EACH_HOUR: Duration = Duration::from_hours(1);
/// The payload that announces a cancellation (other payloads are names of queues).
pub(crate) const LOOK: &str = "!look";

impl Process {
    /// Never ends. Heartbeat and look have a connection each: handlers cannot use them up, and the heartbeat does not wait for
    /// the look, which a lock on the jobs may delay.
    pub(super) async fn keep(&self) -> Infallible {
        let changed = self.0.wakeups.of(breaker::CHANGED);
        tokio::select! {
            never = self.0.wakeups.listen(&self.0.pool) => never,
            never = self.beat() => never,
            never = self.look_after() => never,
            never = Box::pin(self.0.breakers.keep(self.dependencies(), &changed)) => never,
        }
    }

    /// Each dependency of the queues of this process, with the queues that need it.
    fn dependencies(&self) -> HashMap<String, Vec<String>> {
        let mut all = HashMap::<_, Vec<_>>::new();
        for lane in self.0.queues() {
            for need in &lane.needs {
                all.entry(need.clone()).or_default().push(lane.options.queue.clone().into_owned());
            }
        }
        all
    }

    async fn beat(&self) -> Infallible {
        let inner = &self.0;
        let mut line = Reserved::beside(&inner.pool);
        let mut interval = every_beat();
        let mut declared = false;
        loop {
            interval.tick().await;
            let queues: Vec<_> =
                inner.queues().iter().map(|lane| lane.options.queue.clone().into_owned()).collect();
            let needs: Vec<_> = self.dependencies().into_keys().collect();
            let pool = line.pool();
            let beat = async {
                if !declared {
                    breaker::declare(pool, &needs).await?;
                }
                presence::beat(pool, self.name(), &queues, inner.settings.silence).await
            };
            match timeout(BEAT_LIMIT, beat).await {
                Ok(Ok(())) => {
                    declared = true;
                    inner.known.send_replace(true);
                    continue;
                }
                Ok(Err(error)) => tracing::warn!(%error, "not heard of: the database is away"),
                Err(_) => tracing::warn!("not heard of: the database does not answer"),
            }
            line.renew();
        }
    }

    async fn look_after(&self) -> Infallible {
        let mut line = Reserved::beside(&self.0.pool);
        let mut interval = every_beat();
        let mut unknown = HashMap::new();
        let asked = self.0.wakeups.of(LOOK);
        let mut days_kept = None::<Instant>;
        // Before the first heartbeat the process holds nothing.
        drop(self.0.known.subscribe().wait_for(|known| *known).await);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = asked.woken() => {}
            }
            if days_kept.is_none_or(|at| at.elapsed() >= EACH_HOUR) {
                days_kept = Some(Instant::now());
                self.keep_days(line.pool()).await;
            }
            match timeout(LOOK_LIMIT, self.look(line.pool(), &mut unknown)).await {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => tracing::warn!(%error, "what is held was not looked at"),
                Err(_) => {
                    tracing::warn!("what is held was not looked at: the database does not answer");
                }
            }
            line.renew();
        }
    }

    /// Keeps the days of the ledger. A failure is only logged: ended jobs are kept nevertheless, and the next hour tries again.
    async fn keep_days(&self, pool: &PgPool) {
        match timeout(LOOK_LIMIT, admin::keep_days(pool, self.0.settings.kept_days)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(days)) => tracing::info!(days, "dropped from the ledger"),
            Ok(Err(error)) => tracing::warn!(%error, "the days of the ledger were not kept"),
            Err(_) => tracing::warn!("the days of the ledger were not kept in time"),
        }
    }

    /// Stops attempts that have lost their jobs, hands back jobs that this process does not know of, follows the settings of
    /// its queues, rescues jobs of other processes, and hands back jobs that have waited too long for a place.
    async fn look(&self, pool: &PgPool, unknown: &mut HashMap<Key, Instant>) -> Result<()> {
        let inner = &self.0;
        // Taken before the query: each of these was held when it was claimed, so that one that the query does not find is lost.
        let before = inner.attempts();
        if !before.is_empty() {
            let held: HashSet<_> =
                presence::held(pool, self.name(), &before).await?.into_iter().collect();
            for attempt in before.iter().filter(|attempt| !held.contains(*attempt)) {
                inner.stop(attempt);
            }
        }
        self.hand_back_unknown(pool, unknown).await?;
        let decided = admin::concurrencies(pool).await?;
        for lane in inner.queues() {
            let options = &lane.options;
            let limit = decided.get(&*options.queue).copied().unwrap_or(options.concurrency);
            lane.slots.set_limit(limit.min(options.most_at_once));
        }
        let settings = &inner.settings;
        for (queue, jobs) in
            presence::rescue(pool, self.name(), settings.silence, &settings.lost).await?
        {
            tracing::warn!(queue, jobs, "rescued from workers that vanished");
            settings.observer.rescued(&queue, jobs.unsigned_abs());
        }
        let waited = inner.waited_too_long();
        if !waited.is_empty() {
            // Before this has committed nobody begins them: not this process, where they have waited too long, nor another.
            let jobs = presence::hand_back(pool, self.name(), &waited, false).await?;
            for attempt in &waited {
                inner.forget(attempt);
            }
            tracing::info!(jobs, "handed back: others may begin them sooner");
        }
        Ok(())
    }

    /// Hands back jobs that the database gave to this process in an answer that was lost.
    async fn hand_back_unknown(
        &self,
        pool: &PgPool,
        unknown: &mut HashMap<Key, Instant>,
    ) -> Result<()> {
        let inner = &self.0;
        // The search reads every live job; jobs that are suspected already are looked up by their keys.
        let held = if inner.is_time_for_unknown() {
            presence::all_held(pool, self.name()).await?
        } else if unknown.is_empty() {
            return Ok(());
        } else {
            let suspected: Vec<_> = unknown.keys().cloned().collect();
            presence::held(pool, self.name(), &suspected).await?
        };
        let held: HashSet<_> = held.into_iter().collect();
        let known: HashSet<_> = inner.attempts().into_iter().collect();
        unknown.retain(|attempt, _| held.contains(attempt) && !known.contains(attempt));
        for attempt in held.difference(&known) {
            unknown.entry(attempt.clone()).or_insert_with(Instant::now);
        }
        // After this time no claim waits for its answer any more, and none that was on its way commits.
        let lost: Vec<_> = unknown
            .iter()
            .filter(|(_, since)| since.elapsed() > CLAIM_LIMIT * 2)
            .map(|(attempt, _)| attempt.clone())
            .collect();
        if !lost.is_empty() {
            presence::hand_back(pool, self.name(), &lost, true).await?;
            tracing::warn!(
                jobs = lost.len(),
                "handed back what an answer that was lost had brought"
            );
        }
        Ok(())
    }
}

fn every_beat() -> Interval {
    let mut interval = tokio::time::interval(BEAT);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
