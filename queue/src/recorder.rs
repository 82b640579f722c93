//! Records how attempts ended: many in one statement, repeated until the database has them.
use std::{
    collections::HashSet,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::FutureExt as _;
use sqlx::PgPool;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Claimed, Finished, HookedJob, Outcome, Result, Settings, finish,
    hook::{Failed, call},
    process::{Inner, Lane},
    slots::Counted,
};

/// The most attempts in one statement.
const BATCH: usize = 500;
/// If at least this many attempts have ended at once, others that end within [`GATHER`] are waited for: one commit for many.
const MANY: usize = 8;
const GATHER: Duration = Duration::from_millis(2);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// The time limit of a try. If it committed nevertheless, the next try finds the jobs not held any more.
const LIMIT: Duration = Duration::from_secs(10);

/// The longest pause after an attempt whose end the database refused.
const PLAIN_PAUSE: Duration = Duration::from_hours(1);

/// An attempt that ended, with its job for the hooks.
pub(crate) struct Record {
    pub(crate) lane: Arc<Lane>,
    pub(crate) job: Arc<Claimed>,
    pub(crate) finished: Finished,
    _unrecorded: Counted,
}

impl Record {
    pub(crate) fn new(lane: Arc<Lane>, job: Arc<Claimed>, finished: Finished) -> Self {
        let unrecorded = lane.slots.unrecorded();
        Self { lane, job, finished, _unrecorded: unrecorded }
    }

    fn hooked(&self) -> HookedJob {
        HookedJob {
            id: self.job.id.clone(),
            queue: self.job.queue.clone(),
            payload: self.job.payload.clone(),
            reason: self.finished.error.clone().unwrap_or_default(),
        }
    }
}

/// Sends to the one task that records; clones share it.
#[derive(Clone)]
pub(crate) struct Recorder {
    records: mpsc::UnboundedSender<Option<Record>>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    pub(crate) fn start(pool: PgPool, settings: Settings, process: Weak<Inner>) -> Self {
        // Unbounded: no more of a queue is claimed while a thousand of its ends wait here.
        let (records, waiting) = mpsc::unbounded_channel();
        let writer = Writer { pool, settings, process };
        #[expect(
            clippy::disallowed_methods,
            reason = "what it loses in a crash is rescued by its row"
        )]
        let task = tokio::spawn(writer.record_all(waiting));
        Self { records, task: Arc::new(Mutex::new(Some(task))) }
    }

    pub(crate) fn record(&self, record: Record) {
        let _ = self.records.send(Some(record));
    }

    /// Resolves when all records given so far are written, and ends the task: later records are dropped.
    pub(crate) async fn finish(&self) {
        let _ = self.records.send(None);
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

struct Writer {
    pool: PgPool,
    settings: Settings,
    process: Weak<Inner>,
}

impl Writer {
    async fn record_all(self, mut waiting: mpsc::UnboundedReceiver<Option<Record>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            if (MANY..BATCH).contains(&batch.len()) {
                tokio::time::sleep(GATHER).await;
                let room = BATCH - batch.len();
                waiting.recv_many(&mut batch, room).now_or_never();
            }
            let last = batch.iter().any(Option::is_none);
            self.record_some(batch.drain(..).flatten().collect()).await;
            if last {
                return;
            }
        }
    }

    async fn record_some(&self, records: Vec<Record>) {
        let of = |outcomes: &[Outcome]| -> Vec<&Finished> {
            let found = records.iter().map(|record| &record.finished);
            found.filter(|finished| outcomes.contains(&finished.outcome)).collect()
        };
        let done = of(&[Outcome::Done]);
        let mut held: HashSet<_> = self.write(&done).await.into_iter().collect();
        held.extend(self.write(&of(&[Outcome::Retry, Outcome::Outage, Outcome::Snooze])).await);
        let (written, rest): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| held.contains(&record.finished.id));
        // Before the hooks, which may be slow.
        self.forget(&written);
        drop(written);
        for record in rest {
            if record.finished.outcome == Outcome::Dead {
                until_done(|| self.record_death(&record)).await;
            } else {
                // Also called if a try that seemed to fail did record the end: needlessly, but the hook looks at the database
                // first.
                until_done(|| self.call_on_stale(&record)).await;
            }
            self.forget(&[record]);
        }
    }

    /// The process no longer holds these attempts.
    fn forget(&self, records: &[Record]) {
        if let Some(process) = self.process.upgrade() {
            for Record { finished, .. } in records {
                process.forget(&(finished.id.clone(), finished.since));
            }
        }
    }

    /// Records how attempts ended, all of them last ones or none; returns the ids of those that were still held.
    ///
    /// While the database is unavailable it tries again. If the database refuses a batch, each attempt is written alone; one
    /// that is refused then is recorded with that refusal as its error, so that it does not keep the others from being
    /// recorded.
    async fn write(&self, ended: &[&Finished]) -> Vec<String> {
        if ended.is_empty() {
            return Vec::new();
        }
        match until_answered(|| self.write_once(ended)).await {
            Ok(held) => held,
            Err(_) if ended.len() > 1 => {
                let mut held = Vec::new();
                for one in ended {
                    held.extend(Box::pin(self.write(&[one])).await);
                }
                held
            }
            Err(error) => {
                let said = format!("how it ended cannot be written down: {error}");
                tracing::error!(
                    job.id = ended[0].id,
                    error = said,
                    "an attempt is not recorded as it ended"
                );
                let plain = Finished {
                    error: Some(said),
                    result: None,
                    pause: ended[0].pause.min(PLAIN_PAUSE),
                    ..ended[0].clone()
                };
                let plain = [&plain];
                until_answered(|| self.write_once(&plain)).await.unwrap_or_default()
            }
        }
    }

    async fn write_once(&self, ended: &[&Finished]) -> Result<Vec<String>> {
        if ended[0].outcome.is_last() {
            return finish::end(&self.pool, self.worker(), ended).await;
        }
        let mut db = self.pool.acquire().await?;
        finish::postpone(&mut db, self.worker(), ended).await
    }

    fn worker(&self) -> &str {
        &self.settings.name
    }

    /// Calls the hook that undoes what an attempt did outside the database after it had lost its job. Fails, to be called
    /// again, only if the database is unavailable: an error or a panic of the hook would come again, and this task records for
    /// all others.
    async fn call_on_stale(&self, record: &Record) -> Result<()> {
        let Some(hook) = &record.lane.options.on_stale else { return Ok(()) };
        let tx = crate::begin(&self.pool).await?;
        let why = match call(hook, tx, record.hooked()).await {
            Ok(tx) => return Ok(tx.commit().await?),
            Err(Failed::Away(error)) => return Err(error),
            Err(Failed::Error(why) | Failed::Panic(why)) => why,
        };
        self.hook_failed(
            record,
            &why,
            "what an attempt did after it had lost its job is not undone",
        );
        Ok(())
    }

    fn hook_failed(&self, record: &Record, why: &str, what: &str) {
        self.settings.observer.hook_failed(&record.job.queue);
        tracing::error!(error = why, job.id = record.job.id, job.type = record.job.queue, "{what}");
    }

    /// Records a death and calls the hook, in one transaction.
    async fn record_death(&self, record: &Record) -> Result<()> {
        let mut tx = crate::begin(&self.pool).await?;
        let held = finish::end(&mut *tx, self.worker(), &[&record.finished]).await?;
        if held.is_empty() {
            tx.rollback().await?;
            return self.call_on_stale(record).await;
        }
        let Some(hook) = &record.lane.options.on_dead else { return Ok(tx.commit().await?) };
        let reason = record.finished.error.as_deref().unwrap_or_default();
        match call(hook, tx, record.hooked()).await {
            Ok(tx) => Ok(tx.commit().await?),
            Err(Failed::Away(error)) => Err(error),
            // The application does not know of the death yet: the job is not dead, and is tried again.
            Err(Failed::Error(why)) => {
                tracing::error!(
                    error = why,
                    job.id = record.job.id,
                    "a dead job could not be told"
                );
                let again = Finished {
                    outcome: Outcome::Retry,
                    error: Some(format!("{reason}; {why}")),
                    ..record.finished.clone()
                };
                let mut db = self.pool.acquire().await?;
                finish::postpone(&mut db, self.worker(), &[&again]).await.map(drop)
            }
            // The hook would panic again: the job is dead without it. Log, error and metric say so.
            Err(Failed::Panic(panic)) => {
                let error = Some(format!("{reason}; telling of it panicked: {panic}"));
                let dead = Finished { error, ..record.finished.clone() };
                finish::end(&self.pool, self.worker(), &[&dead]).await?;
                self.hook_failed(
                    record,
                    &panic,
                    "a job is dead, and what it was about was not told",
                );
                Ok(())
            }
        }
    }
}

/// Repeats `step` until the database answers: an error that is returned is one of the statement, not of an unavailable
/// database.
async fn until_answered<T, F: Future<Output = Result<T>>>(
    mut step: impl FnMut() -> F,
) -> Result<T> {
    loop {
        match timeout(LIMIT, step()).await {
            Ok(Err(error)) if error.is_away() => {
                tracing::warn!(%error, "attempts not recorded yet");
            }
            Ok(answered) => return answered,
            Err(_) => tracing::warn!("attempts not recorded yet: the database does not answer"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn until_done<T, F: Future<Output = Result<T>>>(mut step: impl FnMut() -> F) -> T {
    loop {
        match timeout(LIMIT, step()).await {
            Ok(Ok(done)) => return done,
            Ok(Err(error)) => tracing::warn!(%error, "attempts not recorded yet"),
            Err(_) => tracing::warn!("attempts not recorded yet: the database does not answer"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
