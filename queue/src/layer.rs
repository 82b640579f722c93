//! Runs attempts, each in a task of its own, within its time limit and under its lease, and passes their ends to the recorder.
use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use apalis_core::{error::BoxDynError, task::Task};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::Serialize;
use serde_json::Value;
use tokio::task::AbortHandle;
use tower_layer::Layer;
use tower_service::Service;
use tracing::Instrument as _;

use crate::{
    Claimed, Finished, Outcome, Process, Stale,
    backend::ClaimedAttempt,
    error::chain,
    hook::panic_message,
    judge::{away, judge},
    presence::Key,
    process::{Held, Inner, Lane, Running},
    recorder::Record,
};

/// The layer of [`crate::Storage`]: apalis puts it around the layers of a worker.
#[derive(Clone)]
pub struct AttemptLayer(Option<(Process, Arc<Lane>)>);

impl AttemptLayer {
    pub(crate) fn new(worker: Option<(Process, Arc<Lane>)>) -> Self {
        Self(worker)
    }
}

impl<S> Layer<S> for AttemptLayer {
    type Service = AttemptService<S>;

    fn layer(&self, inner: S) -> AttemptService<S> {
        AttemptService { inner, worker: self.0.clone() }
    }
}

/// See [`AttemptLayer`].
#[derive(Clone)]
pub struct AttemptService<S> {
    inner: S,
    worker: Option<(Process, Arc<Lane>)>,
}

impl<S, Args> Service<Task<Args>> for AttemptService<S>
where
    S: Service<Task<Args>>,
    S::Future: Send + 'static,
    S::Response: Serialize + Send + 'static,
    S::Error: Into<BoxDynError>,
{
    type Response = S::Response;
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<S::Response, BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxDynError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, task: Task<Args>) -> Self::Future {
        let held = task.ctx().data().get::<ClaimedAttempt>().cloned();
        let (Some((process, lane)), Some(held)) = (self.worker.clone(), held) else {
            // Not a claimed job: nothing is recorded.
            return self.inner.call(task).map(|result| result.map_err(Into::into)).boxed();
        };
        let spent = held.job.is_spent(lane.options.max_attempts);
        let work = match spent {
            Some(why) => std::future::ready(Err(why.into())).boxed(),
            None => self.inner.call(task).map(|result| result.map_err(Into::into)).boxed(),
        };
        attempt(process, lane, held, work).boxed()
    }
}

async fn attempt<R: Serialize + Send + 'static>(
    process: Process,
    lane: Arc<Lane>,
    held: ClaimedAttempt,
    work: BoxFuture<'static, Result<R, BoxDynError>>,
) -> Result<R, BoxDynError> {
    let inner = process.0.clone();
    let (job, place) = (held.job.clone(), held.take_place());
    let key = job.key();
    if job.probe {
        inner.breakers.hold(&job.id);
    }
    let cancel = held.lease.cancel.clone();
    inner.settings.observer.begun(&job);
    #[expect(clippy::disallowed_methods, reason = "a job it is, with its row")]
    let task = tokio::spawn({
        let (inner, lane, job) = (inner.clone(), lane.clone(), job.clone());
        let span = inner.settings.observer.span(&job);
        async move { run(&inner, &lane, &job, work).await }.instrument(span)
    });
    let running = Running { cancel, task: task.abort_handle(), asked: None };
    inner.lock().insert(key.clone(), Held::Running(running));
    let mut watched = Watched { process: &inner, key: &key, task: Some(task.abort_handle()) };
    let started = Instant::now();
    let (finished, result) = task.await.unwrap_or_else(|_| {
        // The task was aborted: the attempt has lost its job, and what becomes of the job is decided elsewhere.
        inner.settings.observer.ended(&job, Outcome::Stale, started.elapsed());
        (Finished::stale(&job), Err(Stale.into()))
    });
    // Released before the job may be claimed again, perhaps as a probe once more.
    if job.probe {
        inner.breakers.release(&job.id).await;
    }
    watched.task = None;
    drop(watched);
    inner.lock().insert(key, Held::Ended);
    lane.pace.add(started.elapsed());
    inner.recorder.record(Record::new(lane, job, finished));
    drop(place);
    result
}

/// Aborts an attempt when its worker is dropped. Nothing records its end: its job is handed back as one that this process does
/// not know of.
struct Watched<'a> {
    process: &'a Inner,
    key: &'a Key,
    /// `None` when it has ended.
    task: Option<AbortHandle>,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
            self.process.forget(self.key);
            self.process.suspect();
        }
    }
}

async fn run<R: Serialize>(
    process: &Inner,
    lane: &Lane,
    job: &Claimed,
    work: BoxFuture<'static, Result<R, BoxDynError>>,
) -> (Finished, Result<R, BoxDynError>) {
    let observer = &process.settings.observer;
    let started = Instant::now();
    let result = guarded(lane.options.timeout, work).await;
    let value = match &result {
        Ok(response) => match value(response) {
            Ok(value) => Ok(value),
            Err(error) => Ok(Some(Value::String(format!("not to be written down: {error}")))),
        },
        Err(error) => Err(error),
    };
    if let Err(error) = &value
        && let Some(dependency) = away(&lane.options, error)
    {
        process.breakers.failed(&dependency, &chain(&***error), &job.id, job.probe).await;
    }
    let finished = judge(&lane.options, job, value);
    let (lasted, outcome) = (started.elapsed(), finished.outcome);
    observer.ended(job, outcome, lasted);
    let duration_ms = u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX);
    let (error, outcome_name) = (finished.error.as_deref(), outcome.as_str());
    match outcome {
        Outcome::Done | Outcome::Snooze | Outcome::Stale => {
            tracing::info!(duration_ms, outcome = outcome_name, "job");
        }
        Outcome::Retry | Outcome::Outage => {
            tracing::warn!(duration_ms, outcome = outcome_name, error, "job");
        }
        Outcome::Dead => tracing::error!(duration_ms, outcome = outcome_name, error, "job"),
    }
    (finished, result)
}

/// What a handler returned as JSON; `None` if that is null.
fn value(response: &(impl Serialize + ?Sized)) -> serde_json::Result<Option<Value>> {
    let value = serde_json::to_value(response)?;
    Ok((!value.is_null()).then_some(value))
}

/// Runs `work` within `limit`. A timeout or a panic is a failure like any other.
async fn guarded<R>(
    limit: Duration,
    work: impl Future<Output = Result<R, BoxDynError>>,
) -> Result<R, BoxDynError> {
    match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(panic)) => Err(format!("panicked: {}", panic_message(&*panic)).into()),
        Err(_) => Err(format!("not done within {limit:?}").into()),
    }
}
