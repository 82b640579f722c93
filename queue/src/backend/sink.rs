//! Enqueueing by apalis's `TaskSink`: each flush is a transaction of its own.
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use apalis_core::{backend::future::BoxSyncFuture, task::Task};
use futures_util::{FutureExt as _, Sink};
use sqlx::PgPool;

use super::Storage;
use crate::{Error, NewJob, Result, enqueue, enqueue::enqueue_all};

#[derive(Default)]
pub(super) struct Outbox {
    waiting: Vec<Task<Vec<u8>>>,
    sending: Option<BoxSyncFuture<Result<()>>>,
}

/// The job of an apalis task. The task's id and priority are ignored: ids are in the order of time, and urgent jobs have a
/// queue of their own.
fn new_job(queue: &str, task: Task<Vec<u8>>) -> NewJob {
    let ctx = task.ctx().clone();
    let due = ctx.run_at().map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at));
    NewJob {
        queue: queue.to_owned(),
        max_attempts: ctx.max_attempts().and_then(|n| u32::try_from(n).ok()).unwrap_or(25),
        delay: due.and_then(|due| due.duration_since(SystemTime::now()).ok()).unwrap_or_default(),
        key: ctx.idempotency_key().map(str::to_owned),
        metadata: ctx.metadata().clone().into_inner().into_iter().collect(),
        payload: task.args,
    }
}

async fn send(pool: PgPool, queue: String, tasks: Vec<Task<Vec<u8>>>) -> Result<()> {
    let jobs: Vec<_> = tasks.into_iter().map(|task| new_job(&queue, task)).collect();
    let mut tx = crate::begin(&pool).await?;
    let is_plain = |job: &NewJob| {
        job.key.is_none()
            && job.metadata.is_empty()
            && job.delay.is_zero()
            && job.max_attempts == 25
    };
    if jobs.len() > 1 && jobs.iter().all(is_plain) {
        let payloads: Vec<_> = jobs.into_iter().map(|job| job.payload).collect();
        enqueue_all(&mut tx, &queue, 25, &payloads).await?;
    } else {
        for job in &jobs {
            enqueue(&mut tx, job).await?;
        }
    }
    Ok(tx.commit().await?)
}

impl<Args> Storage<Args> {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        loop {
            if let Some(sending) = &mut self.outbox.sending {
                let sent = ready!(sending.poll_unpin(cx));
                self.outbox.sending = None;
                sent?;
                self.announcer.announce([&*self.queue]);
            }
            if self.outbox.waiting.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let tasks = std::mem::take(&mut self.outbox.waiting);
            let queue = self.queue.clone().into_owned();
            self.outbox.sending = Some(send(self.pool.clone(), queue, tasks).boxed().into());
        }
    }
}

impl<Args> Sink<Task<Vec<u8>>> for Storage<Args> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, task: Task<Vec<u8>>) -> Result<()> {
        self.get_mut().outbox.waiting.push(task);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().poll_send(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.get_mut().poll_send(cx)
    }
}
