//! What this process tells of the services outside, and what it does when one is back (`erp_core::jobs::breaker`).
//!
//! While all is well an answer costs a look at a flag: the row of a service is written to only while it counts failures. The
//! flags are renewed every second, and when a row changes.
use std::{
    collections::HashSet,
    convert::Infallible,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use erp_core::{
    Result,
    jobs::{
        Dependency,
        breaker::{self, PROBE_LEASE},
    },
};
use sqlx::PgPool;
use tokio::{sync::Notify, time::timeout};

use crate::wake::Bell;

/// Often enough that a probe stays ours.
const RENEW: Duration = Duration::from_secs(1);
/// A database that does not answer for so long is away; what is told then comes late, or never: a probe is given up by itself.
const LIMIT: Duration = Duration::from_secs(4);
/// Jobs that one statement makes ready again.
const BATCH: i64 = 500;

/// The breakers, as one process sees them.
pub(crate) struct Breakers {
    pool: PgPool,
    worker: String,
    services: [Service; Dependency::ALL.len()],
    /// There is an answer to tell of.
    told: Notify,
    /// Jobs that this process runs as probes.
    probes: Mutex<HashSet<String>>,
}

#[derive(Default)]
struct Service {
    /// Its row counts failures, as far as is known here.
    fails: AtomicBool,
    /// It has answered, and its row does not know yet.
    answered: AtomicBool,
}

impl Breakers {
    pub(super) fn new(pool: PgPool, worker: String) -> Self {
        Self {
            pool,
            worker,
            services: Default::default(),
            told: Notify::new(),
            probes: Mutex::default(),
        }
    }

    fn service(&self, dependency: Dependency) -> &Service {
        let index = Dependency::ALL.iter().position(|one| *one == dependency);
        &self.services[index.unwrap_or_default()]
    }

    /// A handler has had an answer. Does not wait: the handler may hold a conversation.
    pub(crate) fn answered(&self, dependency: Dependency) {
        let service = self.service(dependency);
        if service.fails.load(Relaxed) {
            service.answered.store(true, Relaxed);
            self.told.notify_one();
        }
    }

    /// An attempt of `job` ended because `dependency` is away.
    pub(super) async fn failed(&self, dependency: Dependency, error: &str, job: &str, probe: bool) {
        self.service(dependency).fails.store(true, Relaxed);
        let probe = probe.then_some((self.worker.as_str(), job));
        match timeout(LIMIT, breaker::failed(&self.pool, dependency, error, probe)).await {
            Ok(Ok(true)) => tracing::error!(
                dependency = dependency.as_str(),
                error,
                "away: its breaker opens, and jobs wait but for one probe at a time"
            ),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a failure is not counted"),
            Err(_) => tracing::warn!("a failure is not counted: the database does not answer"),
        }
    }

    /// Keeps the probe that `job` is for this process.
    pub(super) fn hold(&self, job: &str) {
        self.probes().insert(job.to_owned());
    }

    /// The probe that `job` was is over, whatever it came to.
    pub(super) async fn release(&self, job: &str) {
        self.probes().remove(job);
        let release = breaker::release(&self.pool, &self.worker, Some(job));
        if !matches!(timeout(LIMIT, release).await, Ok(Ok(()))) {
            tracing::warn!(
                job.id = job,
                "a probe is not given up yet: it ends within {PROBE_LEASE:?}"
            );
        }
    }

    /// For ever.
    pub(super) async fn keep(&self, bell: &Bell) -> Infallible {
        loop {
            // Not within a limit: each statement of what waits is short, and there may be many.
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the breakers could not be looked at");
            }
            tokio::select! {
                () = tokio::time::sleep(RENEW) => {}
                () = bell.rung() => {}
                () = self.told.notified() => {}
            }
        }
    }

    async fn look(&self) -> Result<()> {
        for dependency in Dependency::ALL {
            if self.service(dependency).answered.swap(false, Relaxed)
                && let Some(since) = breaker::answered(&self.pool, dependency).await?
            {
                tracing::info!(dependency = dependency.as_str(), %since, "back: its breaker closes");
                while breaker::wake(&self.pool, dependency, BATCH).await? > 0 {}
            }
        }
        let probes: Vec<_> = self.probes().iter().cloned().collect();
        if !probes.is_empty() {
            breaker::renew(&self.pool, &self.worker, &probes).await?;
        }
        let failing = breaker::failing(&self.pool).await?;
        for dependency in Dependency::ALL {
            self.service(dependency).fails.store(failing.contains(&dependency), Relaxed);
        }
        Ok(())
    }

    fn probes(&self) -> MutexGuard<'_, HashSet<String>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
