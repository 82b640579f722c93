//! A process: its queues, the attempts that it holds, its run from start to stop, and what keeps it known to the others.
mod held;
mod keep;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use apalis_core::monitor::{Monitor, MonitorError};
use sqlx::PgPool;
use tokio::{sync::watch, time::timeout};

pub(crate) use held::{Held, Running, WAITS};

use crate::{
    Claimed, Error, Options, Settings, Storage,
    announce::{Wakeup, Wakeups},
    breaker,
    breakers::Breakers,
    pace::Pace,
    presence::{self, Key},
    recorder::Recorder,
    reserved::Reserved,
    slots::Slots,
};

/// The part of the time for a stop in which jobs may end.
const FOR_JOBS: f64 = 0.8;
/// The part for recording, and as much again for handing back.
const FOR_REST: f64 = 0.1;
/// How long a claim may still commit after its answer was given up.
const SUSPICION: Duration = Duration::from_mins(1);

/// A process that runs jobs. Clones are the same process.
#[derive(Clone)]
pub struct Process(pub(crate) Arc<Inner>);

/// What all clones of a process share.
pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    pub(crate) settings: Settings,
    pub(crate) breakers: Breakers,
    pub(crate) recorder: Recorder,
    /// Whether the first heartbeat is written: the process claims nothing before.
    pub(crate) known: watch::Sender<bool>,
    /// Until then a claim that was given up may still give jobs to this process.
    suspects: Mutex<Option<Instant>>,
    /// When the database was last searched for all that this process holds.
    searched: Mutex<Option<Instant>>,
    /// The connection of the searches for older jobs, held by the one that runs.
    pub(crate) searches: tokio::sync::Mutex<Reserved>,
    pub(crate) wakeups: Wakeups,
    queues: Mutex<BTreeMap<String, Arc<Lane>>>,
    held: Mutex<HashMap<Key, Held>>,
}

/// One queue in this process.
pub(crate) struct Lane {
    pub(crate) options: Options,
    pub(crate) needs: Vec<String>,
    pub(crate) slots: Slots,
    pub(crate) pace: Pace,
    pub(crate) wakeup: Wakeup,
}

impl Process {
    /// A process that runs nothing yet. Spawns the task that records; connects to the database only when it needs to.
    #[must_use]
    pub fn new(pool: &PgPool, settings: Settings) -> Self {
        Self(Arc::new_cyclic(|inner| Inner {
            pool: pool.clone(),
            breakers: Breakers::new(pool.clone(), settings.name.clone()),
            recorder: Recorder::start(pool.clone(), settings.clone(), inner.clone()),
            settings,
            known: watch::Sender::new(false),
            suspects: Mutex::default(),
            searched: Mutex::default(),
            searches: tokio::sync::Mutex::new(Reserved::beside(pool)),
            wakeups: Wakeups::default(),
            queues: Mutex::default(),
            held: Mutex::default(),
        }))
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.settings.name
    }

    /// The jobs of one queue, as an apalis backend. Another call for the same queue gives the same one, with the options of the
    /// first.
    #[must_use]
    pub fn storage<Args>(&self, options: Options) -> Storage<Args> {
        let lane = self
            .0
            .lock_queues()
            .entry(options.queue.clone().into_owned())
            .or_insert_with(|| {
                Arc::new(Lane {
                    needs: options.needed(),
                    slots: Slots::new(options.concurrency.min(options.most_at_once)),
                    pace: Pace::default(),
                    wakeup: self.0.wakeups.of(&options.queue),
                    options,
                })
            })
            .clone();
        Storage::of(self.0.pool.clone(), lane.options.queue.clone(), Some((self.clone(), lane)))
    }

    /// Tells all workers that `dependency` has answered. Returns at once, for callers in the middle of a session with it.
    pub fn answered(&self, dependency: &str) {
        self.0.breakers.answered(dependency);
    }

    /// Runs the workers of `monitor` until `stop` resolves and the running jobs have ended, or the time for that is over. Jobs
    /// that are still held are then handed back, and the process signs off.
    pub async fn run(
        &self,
        monitor: Monitor,
        stop: impl Future<Output = std::io::Result<()>> + Send,
    ) -> Result<(), MonitorError> {
        let inner = &self.0;
        let limit = inner.settings.shutdown;
        // Running attempts are asked to end, or to reach a point where they can be handed back.
        let stop = async move {
            let stopped = stop.await;
            inner.running(|attempt| attempt.cancel.cancel());
            // A claim may be on its way, and apalis does not poll for its answer while running jobs end.
            inner.suspect();
            stopped
        };
        let time_for_jobs = limit.mul_f64(FOR_JOBS);
        let monitor =
            monitor.with_terminator(async move { tokio::time::sleep(time_for_jobs).await });
        let done = tokio::select! {
            done = monitor.run_with_signal(stop) => done,
            never = self.keep() => match never {},
        };
        inner.running(|attempt| attempt.task.abort());
        let limit = limit.mul_f64(FOR_REST);
        if timeout(limit, inner.recorder.finish()).await.is_err() {
            tracing::warn!(
                "the database is away: what ended last is not recorded, and will be rescued and run again"
            );
        }
        let rest = async {
            // First the known jobs, by their keys: the search for the rest reads every live job.
            let known =
                presence::hand_back(&inner.pool, self.name(), &inner.attempts(), true).await?;
            let jobs = known + presence::hand_back_all(&inner.pool, self.name()).await?;
            breaker::release(&inner.pool, self.name(), None).await?;
            presence::sign_off(&inner.pool, self.name()).await?;
            Ok::<_, Error>(jobs)
        };
        match timeout(limit, rest).await {
            Ok(Ok(0)) => {}
            Ok(Ok(jobs)) => tracing::info!(jobs, "handed back"),
            Ok(Err(error)) => {
                tracing::warn!(%error, "jobs not handed back: others will rescue them");
            }
            Err(_) => tracing::warn!("jobs not handed back: others will rescue them"),
        }
        done
    }
}

impl Inner {
    fn lock_queues(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Lane>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Releases the probe of a job that does not begin, so that another may probe.
    pub(crate) fn give_up_probe(self: &Arc<Self>, job: &Claimed) {
        if job.probe {
            let (process, id) = (self.clone(), job.id.clone());
            #[expect(
                clippy::disallowed_methods,
                reason = "failing that, the probe ends by itself"
            )]
            drop(tokio::spawn(async move { process.breakers.release(&id).await }));
        }
    }

    /// Notes that a claim was given up before its answer, and may still commit.
    pub(crate) fn suspect(&self) {
        *self.suspects.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Instant::now() + SUSPICION);
    }

    /// Whether to search for all that this process holds: each second while an answer may have been lost, and once a minute for
    /// causes that were not foreseen.
    fn is_time_for_unknown(&self) -> bool {
        let until = *self.suspects.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_time = until.is_some_and(|until| now < until)
            || last.is_none_or(|last| now.duration_since(last) >= SUSPICION);
        if is_time {
            *last = Some(now);
        }
        is_time
    }

    fn queues(&self) -> Vec<Arc<Lane>> {
        self.lock_queues().values().cloned().collect()
    }
}
