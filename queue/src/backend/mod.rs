//! A queue as an apalis backend: a worker claims as many jobs as there are free places. Of a queue with many short jobs it
//! holds some more ready, which begin within milliseconds.
mod looks;
mod pull;
mod search;
mod sink;

use std::{
    borrow::Cow,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use apalis_codec::json::JsonCodec;
use apalis_core::{
    backend::{Backend, BackendConfig, WireFormatBackend, finalize::Durable},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use serde::de::DeserializeOwned;
use sqlx::PgPool;
use ulid::Ulid;

use self::{pull::Pull, sink::Outbox};
use crate::{
    Announcer, Claimed, Error, Lease, Options, Process, judge::judge, layer::AttemptLayer,
    process::Lane, recorder::Record, slots::Counted,
};

/// The time limit of a claim; jobs that it claims nevertheless are handed back.
pub(crate) const CLAIM_LIMIT: Duration = Duration::from_secs(4);

/// The jobs of one queue whose payload is `Args`, in JSON.
///
/// Made by [`Process::storage`] it is the backend of a worker; made by [`Storage::new`] it only enqueues and lists jobs.
pub struct Storage<Args> {
    pub(crate) pool: PgPool,
    pub(crate) queue: Cow<'static, str>,
    announcer: Announcer,
    codec: JsonCodec,
    /// The process and the queue in it that claim; `None` if made by [`Storage::new`].
    worker: Option<(Process, Arc<Lane>)>,
    pull: Option<Pull>,
    outbox: Outbox,
    _args: PhantomData<fn() -> Args>,
}

impl<Args> Clone for Storage<Args> {
    fn clone(&self) -> Self {
        Self {
            announcer: self.announcer.clone(),
            ..Self::of(self.pool.clone(), self.queue.clone(), self.worker.clone())
        }
    }
}

impl<Args> Storage<Args> {
    /// A queue from outside: its jobs can be enqueued, listed and waited for, and are run elsewhere.
    #[must_use]
    pub fn new(pool: &PgPool, queue: impl Into<Cow<'static, str>>) -> Self {
        Self::of(pool.clone(), queue.into(), None)
    }

    pub(crate) fn of(
        pool: PgPool,
        queue: Cow<'static, str>,
        worker: Option<(Process, Arc<Lane>)>,
    ) -> Self {
        Self {
            announcer: Announcer::new(&pool),
            outbox: Outbox::default(),
            codec: JsonCodec::default(),
            pull: None,
            pool,
            queue,
            worker,
            _args: PhantomData,
        }
    }
}

/// Logs that `what` failed: without an error, since the database did not answer. Returns whether it was too slow.
fn was_too_slow(what: &str, queue: &str, error: Option<Error>) -> bool {
    let too_slow = error.as_ref().is_none_or(Error::is_canceled);
    let error = error.map_or_else(|| "the database does not answer".into(), |e| e.to_string());
    tracing::warn!(error, queue, "{what}");
    too_slow
}

/// The counts that an attempt occupies while it runs.
pub(crate) struct Place {
    _slot: Counted,
    _suspect: Option<Counted>,
}

/// One attempt on its way from the claim to the layer that runs it.
#[derive(Clone)]
pub(crate) struct ClaimedAttempt {
    pub(crate) job: Arc<Claimed>,
    pub(crate) lease: Lease,
    /// Its place, until the layer takes it over.
    place: Arc<Mutex<Option<Place>>>,
}

impl ClaimedAttempt {
    pub(crate) fn take_place(&self) -> Option<Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The apalis task of a job. It is only read: how the attempt ended is recorded by the layer.
pub(crate) fn task(job: &Arc<Claimed>) -> TaskBuilder<Vec<u8>> {
    let mut task = TaskBuilder::new(job.payload.clone())
        .task_id(TaskId::from_string(job.id.clone()))
        // apalis itself counts the attempt that it begins.
        .attempt(usize::try_from(job.attempt - 1).unwrap_or(0))
        .max_attempts(usize::try_from(job.max_attempts).unwrap_or(0))
        .queue(job.queue.as_str().into())
        .run_at_timestamp(u64::try_from(job.run_at.timestamp()).unwrap_or(0))
        .with_metadata(apalis_core::task::metadata::MetadataStore::from_map(
            job.metadata.clone().into_iter().collect(),
        ))
        .data(job.clone());
    if let Some(key) = &job.key {
        task = task.idempotency_key(key);
    }
    task
}

impl<Args: DeserializeOwned> Storage<Args> {
    /// The task of a claimed job, or `None` if this version cannot read its payload: that attempt has failed, and a newer
    /// version may run the next. (apalis would take it for an error of the backend, and end the worker.)
    fn begin(process: &Process, lane: &Arc<Lane>, job: Claimed) -> Option<Task<Vec<u8>>> {
        let job = Arc::new(job);
        let suspect = (job.rescues > 0).then(|| lane.slots.suspect());
        let place = Place { _slot: lane.slots.take(), _suspect: suspect };
        if let Err(error) = serde_json::from_slice::<Args>(&job.payload) {
            tracing::error!(job.id = job.id, job.type = job.queue, %error, "a payload that this version does not know");
            let error = format!("a payload that this version does not know: {error}").into();
            let finished = judge(&lane.options, &job, Err(&error));
            process.0.settings.observer.begun(&job);
            process.0.settings.observer.ended(&job, finished.outcome, Duration::ZERO);
            process.0.hold_ended(&job);
            process.0.give_up_probe(&job);
            process.0.recorder.record(Record::new(lane.clone(), job, finished));
            return None;
        }
        let lease = Lease::new(&job, lane.options.timeout, process.0.pool.clone());
        let place = Arc::new(Mutex::new(Some(place)));
        let held = ClaimedAttempt { job: job.clone(), lease: lease.clone(), place };
        Some(task(&job).data(lease).data(held).build())
    }
}

impl<Args: DeserializeOwned> Backend for Storage<Args> {
    type Task = Task<Vec<u8>>;
    type Error = Error;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    /// Never an error: apalis drops the running jobs at the first error of its backend.
    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Vec<u8>>, Error>>> {
        let Some((process, lane)) = self.worker.clone() else { return Poll::Ready(None) };
        let mut pull = self.pull.take().unwrap_or_else(|| Pull::new(&process, &lane));
        let next = loop {
            match pull.poll(cx) {
                Poll::Pending => break Poll::Pending,
                Poll::Ready(job) => {
                    if let Some(task) = Self::begin(&process, &lane, job) {
                        break Poll::Ready(Some(Ok(task)));
                    }
                }
            }
        };
        self.pull = Some(pull);
        next
    }

    /// Waits for a claim that is on its way. Jobs that are claimed and not begun are handed back with the others of the
    /// process.
    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Error>> {
        if let Some(pull) = &mut self.pull {
            ready!(pull.poll_close(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<Args> BackendConfig for Storage<Args> {
    type Args = Args;
    type Id = Ulid;
    type Kind = Durable;
    type Config = Option<Options>;
    type Layer = AttemptLayer;

    fn config(&self) -> &Option<Options> {
        const NONE: &Option<Options> = &None;
        NONE
    }

    /// The outermost layer, around those of the worker: it records their result.
    fn middleware(&mut self, _: &mut WorkerContext) -> AttemptLayer {
        AttemptLayer::new(self.worker.clone())
    }
}

impl<Args> WireFormatBackend for Storage<Args> {
    type Codec = JsonCodec;
    type Compact = Vec<u8>;

    fn codec(&self) -> &JsonCodec {
        &self.codec
    }
}
