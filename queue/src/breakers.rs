//! The breakers, as one process sees them.
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::PgPool;
use tokio::{sync::Notify, time::timeout};

use crate::{
    Result,
    announce::Wakeup,
    breaker::{self, PROBE_LEASE},
};

/// How often probes are renewed, and the rows are read.
const RENEW: Duration = Duration::from_secs(1);
/// The time limit of a statement. One that fails is not repeated: the failure is not counted, or the probe ends by itself.
const LIMIT: Duration = Duration::from_secs(4);
/// The most jobs that one statement makes ready again.
const BATCH: i64 = 500;

pub(crate) struct Breakers {
    pool: PgPool,
    worker: String,
    state: Mutex<State>,
    /// Notified when there is an answer to record.
    recovered: Notify,
}

#[derive(Default)]
struct State {
    /// Dependencies whose row counts failures, as far as this process knows.
    failing: HashSet<String>,
    /// Those that have answered, which is still to be recorded in their row.
    answered: HashSet<String>,
    /// Jobs that this process runs as probes.
    probes: HashSet<String>,
}

impl Breakers {
    pub(crate) fn new(pool: PgPool, worker: String) -> Self {
        Self { pool, worker, state: Mutex::default(), recovered: Notify::new() }
    }

    /// Notes that `dependency` has answered, if it was failing; [`Self::keep`] records it.
    pub(crate) fn answered(&self, dependency: &str) {
        let mut state = self.lock();
        if state.failing.contains(dependency) {
            state.answered.insert(dependency.to_owned());
            self.recovered.notify_one();
        }
    }

    /// Whether one of `needs` has failed lately, as far as this process knows.
    pub(crate) fn are_failing(&self, needs: &[String]) -> bool {
        let state = self.lock();
        needs.iter().any(|need| state.failing.contains(need))
    }

    /// Counts that an attempt of `job` ended because `dependency` is unavailable.
    pub(crate) async fn failed(&self, dependency: &str, error: &str, job: &str, probe: bool) {
        self.lock().failing.insert(dependency.to_owned());
        let probe = probe.then_some((self.worker.as_str(), job));
        match timeout(LIMIT, breaker::failed(&self.pool, dependency, error, probe)).await {
            Ok(Ok(true)) => tracing::error!(
                dependency,
                error,
                "away: its breaker opens, and jobs wait but for one probe at a time"
            ),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a failure is not counted"),
            Err(_) => tracing::warn!("a failure is not counted: the database does not answer"),
        }
    }

    /// Renews the probe of `job` from now on, for this process.
    pub(crate) fn hold(&self, job: &str) {
        self.lock().probes.insert(job.to_owned());
    }

    /// Ends the probe of `job`, whatever its result.
    pub(crate) async fn release(&self, job: &str) {
        self.lock().probes.remove(job);
        let release = breaker::release(&self.pool, &self.worker, Some(job));
        if !matches!(timeout(LIMIT, release).await, Ok(Ok(()))) {
            tracing::warn!(
                job.id = job,
                "a probe is not given up yet: it ends within {PROBE_LEASE:?}"
            );
        }
    }

    /// Renews the probes, records answers and reads the rows; never ends. `queues` has the queues that need each dependency.
    pub(crate) async fn keep(
        &self,
        queues: HashMap<String, Vec<String>>,
        changed: &Wakeup,
    ) -> Infallible {
        if queues.is_empty() {
            return std::future::pending().await;
        }
        loop {
            // Without a time limit: each statement that wakes waiting jobs is short, but there may be many.
            if let Err(error) = self.look(&queues).await {
                tracing::warn!(%error, "the breakers could not be looked at");
            }
            tokio::select! {
                () = tokio::time::sleep(RENEW) => {}
                () = changed.woken() => {}
                () = self.recovered.notified() => {}
            }
        }
    }

    async fn look(&self, queues: &HashMap<String, Vec<String>>) -> Result<()> {
        let answered = std::mem::take(&mut self.lock().answered);
        for dependency in &answered {
            let queues = queues.get(dependency).map(Vec::as_slice).unwrap_or_default();
            if let Some(since) = breaker::answered(&self.pool, dependency, queues).await? {
                tracing::info!(dependency, %since, "back: its breaker closes");
                let all = u64::try_from(BATCH).unwrap_or(u64::MAX);
                while breaker::wake(&self.pool, dependency, queues, BATCH).await? >= all {}
            }
        }
        let probes: Vec<_> = self.lock().probes.iter().cloned().collect();
        if !probes.is_empty() {
            breaker::renew(&self.pool, &self.worker, &probes).await?;
        }
        let failing = breaker::failing(&self.pool).await?;
        self.lock().failing = failing.into_iter().collect();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
