//! Records how attempts ended: many in one statement, and again until the database has them.
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use erp_core::{
    Ctx, Result,
    jobs::life::{self, Ended, Outcome},
    metrics,
};
use futures_util::FutureExt as _;
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinHandle,
    time::timeout,
};

use super::{Abandon, Undo, attempt::said, process::Process};

/// In one statement.
const BATCH: usize = 200;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// A database that does not answer for so long is away. What it did all the same is seen at the next try.
const LIMIT: Duration = Duration::from_secs(10);

/// An attempt that ended, with what its business is told should the job be dead.
pub(super) struct Record {
    pub(super) queue: &'static str,
    pub(super) ended: Ended,
    pub(super) payload: Vec<u8>,
    pub(super) abandon: Abandon,
    pub(super) undo: Undo,
}

/// The way to the one task that records.
#[derive(Clone)]
pub(super) struct Recorder {
    records: mpsc::UnboundedSender<Option<Record>>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Recorder {
    pub(super) fn start(ctx: Ctx, process: Arc<Process>) -> Self {
        // Unbounded, for what a database that is away leaves here was taken from it before: no more than the slots.
        let (records, waiting) = mpsc::unbounded_channel();
        #[expect(
            clippy::disallowed_methods,
            reason = "what it loses in a crash is rescued by its row"
        )]
        let task = tokio::spawn(record_all(ctx, process, waiting));
        Self { records, task: Arc::new(Mutex::new(Some(task))) }
    }

    pub(super) fn record(&self, record: Record) {
        let _ = self.records.send(Some(record));
    }

    /// Resolves when all that was given so far is recorded. Nothing is recorded afterwards.
    pub(super) async fn finish(&self) {
        let _ = self.records.send(None);
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

async fn record_all(
    ctx: Ctx,
    process: Arc<Process>,
    mut waiting: mpsc::UnboundedReceiver<Option<Record>>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let last = batch.iter().any(Option::is_none);
        let (dead, rest): (Vec<_>, Vec<_>) = batch
            .drain(..)
            .flatten()
            .partition(|record: &Record| record.ended.outcome == Outcome::Dead);
        let ends = rest.iter().map(|record| &record.ended);
        let ends: Vec<_> = ends.filter(|ended| ended.outcome != Outcome::Stale).cloned().collect();
        let held = match ends.as_slice() {
            [] => Vec::new(),
            ends => until_done(|| life::end(&ctx.pool, &process.name, ends)).await,
        };
        // One whose end a try recorded that seemed to fail is among them, and nothing of it needs to be undone.
        for stale in rest.iter().filter(|record| !held.contains(&record.ended.id)) {
            until_done(|| undo(&ctx, stale)).await;
        }
        for record in &dead {
            until_done(|| bury(&ctx, &process, record)).await;
        }
        for record in rest.iter().chain(&dead) {
            process.forget(&(record.ended.id.clone(), record.ended.since));
        }
        if last {
            return;
        }
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

/// Has undone what an attempt did outside the database after it had lost its job ([`erp_core::jobs::Job::undo`]). Only a
/// database that is away makes it try again: an error or a panic of its own would come again, and this task records for all
/// others.
async fn undo(ctx: &Ctx, record: &Record) -> Result<()> {
    let undone = async {
        let mut tx = ctx.begin().await?;
        (record.undo)(&mut tx, &record.payload).await?;
        tx.commit().await
    };
    let why = match AssertUnwindSafe(undone).catch_unwind().await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) if error.is_unavailable() => return Err(error),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => said(&*panic).to_owned(),
    };
    metrics::JOBS_UNTOLD.with_label_values(&[record.queue]).inc();
    tracing::error!(
        error = why,
        job.id = record.ended.id,
        job.type = record.queue,
        "what an attempt did after it had lost its job is not undone"
    );
    Ok(())
}

/// Records a death, and tells the business: both or neither.
async fn bury(ctx: &Ctx, process: &Process, record: &Record) -> Result<()> {
    let mut tx = ctx.begin().await?;
    let held = life::end(&mut *tx, &process.name, std::slice::from_ref(&record.ended)).await?;
    if held.is_empty() {
        tx.rollback().await?;
        return undo(ctx, record).await;
    }
    let reason = record.ended.error.as_deref().unwrap_or_default();
    let abandoned = (record.abandon)(ctx, &mut tx, &record.payload, reason);
    let told = match AssertUnwindSafe(abandoned).catch_unwind().await {
        Ok(told) => told,
        Err(panic) => {
            tx.rollback().await?;
            return bury_untold(ctx, process, record, said(&*panic)).await;
        }
    };
    match told {
        Ok(()) => Ok(tx.commit().await?),
        Err(error) if error.is_unavailable() => Err(error),
        Err(error) => {
            // What the job was about does not know yet that it is over: not dead before it does.
            tx.rollback().await?;
            tracing::error!(
                error = format!("{error:#}"),
                job.id = record.ended.id,
                "a dead job could not be told"
            );
            let again = Ended {
                outcome: Outcome::Retry,
                error: Some(format!("{reason}; {error:#}")),
                ..record.ended.clone()
            };
            life::end(&ctx.pool, &process.name, &[again]).await.map(drop)
        }
    }
}

/// Records a death whose telling panicked, without the telling: the code would panic again, and this task records for all
/// others. What the job was about does not know; the log, the job's error and a metric say so.
async fn bury_untold(ctx: &Ctx, process: &Process, record: &Record, panic: &str) -> Result<()> {
    let reason = record.ended.error.as_deref().unwrap_or_default();
    let dead = Ended {
        error: Some(format!("{reason}; telling of it panicked: {panic}")),
        ..record.ended.clone()
    };
    life::end(&ctx.pool, &process.name, &[dead]).await?;
    metrics::JOBS_UNTOLD.with_label_values(&[record.queue]).inc();
    tracing::error!(
        panic,
        job.id = record.ended.id,
        job.type = record.queue,
        "a job is dead, and what it was about was not told: the telling panicked"
    );
    Ok(())
}
