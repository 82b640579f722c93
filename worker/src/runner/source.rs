//! Where apalis's worker gets its jobs from: as many as there are free slots, and none that would have to wait.
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use apalis::prelude::{Backend, Task, TaskBuilder, TaskId, WorkerContext};
use apalis_core::backend::{BackendConfig, finalize::Ephemeral};
use erp_core::{
    Result,
    jobs::{
        Dependency,
        life::{self, Taken},
    },
};
use futures_util::{FutureExt as _, future::BoxFuture};
use sqlx::PgPool;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_layer::Identity;

use super::process::Process;
use crate::wake::Bell;

/// After an error of the database; between half of it and all, so that processes do not come back together.
const PAUSE: Duration = Duration::from_secs(1);
/// While more wait than there are slots, so long may free slots gather: one question for many jobs.
const GATHER: Duration = Duration::from_millis(5);
/// A database that does not answer for so long is away; what a late answer would have brought is handed back.
pub(super) const TAKE_LIMIT: Duration = Duration::from_secs(4);

/// A job and the slot that it occupies.
pub(super) struct Held {
    pub(super) job: Taken,
    pub(super) slot: OwnedSemaphorePermit,
}

/// The jobs of one queue. Never an error: apalis drops what runs at the first one of its backend.
pub(super) struct Source {
    pool: PgPool,
    queue: &'static str,
    needs: &'static [Dependency],
    worker: String,
    slots: Arc<Semaphore>,
    capacity: u32,
    bell: Bell,
    poll_every: Duration,
    taken: VecDeque<Taken>,
    step: Step,
}

enum Step {
    /// Until there may be something to take, and a slot for it. May be dropped.
    Wait(BoxFuture<'static, ()>),
    /// Must come to its end: what it takes is ours.
    Take(BoxFuture<'static, Option<Result<Vec<Taken>>>>),
}

impl Source {
    pub(super) fn new(
        pool: PgPool,
        queue: &'static str,
        needs: &'static [Dependency],
        process: &Process,
        slots: usize,
        bell: Bell,
        poll_every: Duration,
    ) -> Self {
        let capacity = u32::try_from(slots).unwrap_or(u32::MAX);
        let slots = Arc::new(Semaphore::new(slots));
        let mut known = process.known.subscribe();
        let step = Step::Wait(async move { drop(known.wait_for(|known| *known).await) }.boxed());
        Self {
            pool,
            queue,
            needs,
            worker: process.name.clone(),
            slots,
            capacity,
            bell,
            poll_every,
            taken: VecDeque::new(),
            step,
        }
    }

    fn take(&self) -> Step {
        // Nobody else takes slots, so that those free now stay free.
        let free = self.slots.available_permits();
        let (pool, queue, worker, needs) =
            (self.pool.clone(), self.queue, self.worker.clone(), self.needs);
        let take = async move {
            let take = life::take(&pool, queue, &worker, free, needs);
            tokio::time::timeout(TAKE_LIMIT, take).await.ok()
        };
        Step::Take(take.boxed())
    }

    /// What comes after a take.
    fn wait(&self, taken: Option<&Result<Vec<Taken>>>) -> Step {
        let (slots, bell, poll, half) =
            (self.slots.clone(), self.bell.clone(), self.poll_every, self.capacity.div_ceil(2));
        let idle = match taken {
            // Fewer than asked for may mean that other workers had their hands on the rest.
            Some(Ok(jobs)) if !jobs.is_empty() => None,
            Some(Ok(_)) => Some(poll),
            Some(Err(error)) => {
                tracing::warn!(%error, queue = self.queue, "no jobs taken");
                return Step::Wait(tokio::time::sleep(pause()).boxed());
            }
            None => {
                tracing::warn!(queue = self.queue, "no jobs taken: the database does not answer");
                return Step::Wait(tokio::time::sleep(pause()).boxed());
            }
        };
        let wait = async move {
            if let Some(poll) = idle {
                let _ = tokio::time::timeout(poll, bell.rung()).await;
            }
            drop(slots.acquire().await);
            if idle.is_none() {
                drop(tokio::time::timeout(GATHER, slots.acquire_many(half)).await);
            }
        };
        Step::Wait(wait.boxed())
    }

    fn next(&mut self) -> Option<Task<Held>> {
        let job = self.taken.pop_front()?;
        // There was a slot for each when they were taken.
        let slot = self.slots.clone().try_acquire_owned().ok()?;
        // One attempt, not the job: it may come back while its predecessor is being stopped.
        let id = TaskId::from_string(format!("{}-{}", job.id, job.attempt));
        Some(TaskBuilder::new(Held { job, slot }).task_id(id).build())
    }
}

fn pause() -> Duration {
    PAUSE.mul_f64(f64::midpoint(1.0, rand::random::<f64>()))
}

impl Backend for Source {
    type Task = Task<Held>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Task<Held>, Infallible>>> {
        loop {
            if let Some(task) = self.next() {
                return Poll::Ready(Some(Ok(task)));
            }
            self.step = match &mut self.step {
                Step::Wait(wait) => {
                    ready!(wait.poll_unpin(cx));
                    self.take()
                }
                Step::Take(take) => {
                    let taken = ready!(take.poll_unpin(cx));
                    let step = self.wait(taken.as_ref());
                    self.taken.extend(taken.into_iter().flatten().flatten());
                    step
                }
            };
        }
    }

    /// What is taken and not begun is handed back with the rest of the process.
    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        if let Step::Take(take) = &mut self.step {
            ready!(take.poll_unpin(cx));
            self.step = Step::Wait(std::future::pending().boxed());
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for Source {
    type Args = Held;
    type Id = TaskId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
