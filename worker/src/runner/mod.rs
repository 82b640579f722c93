//! Runs jobs: one apalis worker for each job type, over the queue of [`apalis_hot`]. This module adds what that crate
//! cannot know: our errors, our metrics, our transactions.
mod errors;
mod observer;

use std::{borrow::Cow, sync::Arc};

use apalis::prelude::{Monitor, MonitorError, WorkerBuilder};
use apalis_hot::{Claimed, Hook, Lease, Options, Process};
use erp_core::{
    Ctx, Error, Result, Tx,
    jobs::{CAUSE, Cause, DEFERRED_BACKOFF, Job, OUTAGE_BACKOFF, Verdict},
    mailer::Places,
    operate::{self, programs::Tally},
};
use futures_util::{FutureExt as _, future::BoxFuture};

use self::errors::BoxDynError;
use crate::{Settings, documents::decoder::Decoders, work::Work};

/// Why the workers could not run to their end.
pub type StopError = MonitorError;

/// One attempt of a job of one type.
type Handler<J> = Arc<dyn Fn(Work, J) -> BoxFuture<'static, Result<Verdict>> + Send + Sync>;
/// The same for a job by hand, whose payload is not deserialized yet.
type ByHand = Arc<dyn Fn(Work, &[u8]) -> BoxFuture<'static, Result<Verdict>> + Send + Sync>;

pub(crate) struct Runner {
    ctx: Ctx,
    process: Process,
    decoders: Decoders,
    monitor: Monitor,
    by_hand: Vec<(&'static str, ByHand)>,
}

impl Runner {
    pub(crate) fn new(ctx: &Ctx, settings: &Settings, tally: &Arc<Tally>) -> Self {
        let ctx = limited(ctx, settings);
        let process = Process::new(
            &ctx.pool,
            apalis_hot::Settings {
                silence: ctx.config.worker.rescue_after,
                poll: settings.poll,
                shutdown: settings.shutdown_timeout,
                kept_days: operate::KEPT_DAYS,
                lost: Cow::Borrowed("le processus qui l'exécutait a disparu"),
                observer: Arc::new(observer::Metrics(tally.clone())),
                ..apalis_hot::Settings::new(settings.instance.clone())
            },
        );
        let decoders = Decoders::new(settings.decoder.clone(), ctx.config.decoder);
        // Our code never ends an apalis worker; should apalis end one, it is restarted.
        let monitor = Monitor::new().should_restart(|_worker, _error| true);
        Self { ctx, process, decoders, monitor, by_hand: Vec::new() }
    }

    /// Runs the jobs of type `J` with `handler`, if this process serves their queue.
    pub(crate) fn job<J: Job, V, F, Fut>(mut self, handler: F) -> Self
    where
        V: Into<Verdict> + 'static,
        F: Fn(Work, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V>> + Send + 'static,
    {
        let config = &self.ctx.config.worker;
        if config.queues.as_ref().is_some_and(|queues| !queues.iter().any(|q| q == J::QUEUE)) {
            return self;
        }
        let concurrency = config.concurrency.unwrap_or(J::CONCURRENCY);
        let options = options::<J>(&self.ctx, concurrency);
        let handler: Handler<J> =
            Arc::new(move |work, job| handler(work, job).map(|r| r.map(Into::into)).boxed());
        self.by_hand.push((J::QUEUE, by_hand(handler.clone())));
        let (ctx, process, decoders) =
            (self.ctx.clone(), self.process.clone(), self.decoders.clone());
        self.monitor = self.monitor.register(move |_restarts| {
            let (ctx, for_work, decoders, handler) =
                (ctx.clone(), process.clone(), decoders.clone(), handler.clone());
            WorkerBuilder::new(format!("{}@{}", J::QUEUE, process.name()))
                .backend(process.storage::<J>(options.clone()))
                .build(move |job: J, claimed: Claimed, lease: Lease| {
                    let work =
                        Work::new(ctx.clone(), Some(lease), for_work.clone(), decoders.clone());
                    attempt(handler.clone(), work, job, claimed)
                })
        });
        self
    }

    /// Runs one job now and outside of the queue: a single attempt, without a record.
    pub(crate) async fn perform(&self, queue: &str, payload: &[u8]) -> Result<Verdict> {
        let found = self.by_hand.iter().find(|(name, _)| *name == queue);
        let (_, run) = found.ok_or_else(|| anyhow::anyhow!("no handler for {queue}"))?;
        let (ctx, process, decoders) =
            (self.ctx.clone(), self.process.clone(), self.decoders.clone());
        run(Work::new(ctx, None, process, decoders), payload).await
    }

    /// Runs everything until `stop` resolves and the running jobs have ended, or the time for that is over. Jobs that are
    /// still held then are handed back.
    pub(crate) async fn run_until(
        self,
        stop: impl Future<Output = std::io::Result<()>> + Send,
    ) -> Result<(), StopError> {
        self.process.run(self.monitor, stop).await
    }
}

async fn attempt<J: Job>(
    handler: Handler<J>,
    work: Work,
    job: J,
    claimed: Claimed,
) -> Result<(), BoxDynError> {
    let request_id = claimed.metadata.get("request_id");
    let cause = Cause(request_id.and_then(|id| id.parse().ok()));
    errors::said(CAUSE.scope(cause, handler(work, job)).await)
}

fn by_hand<J: Job>(handler: Handler<J>) -> ByHand {
    Arc::new(move |work, payload| match serde_json::from_slice(payload) {
        Ok(job) => {
            let work = handler(work, job);
            let late = |_| Error::Internal(anyhow::anyhow!("not done within {:?}", J::TIMEOUT));
            async move { tokio::time::timeout(J::TIMEOUT, work).await.map_err(late)? }.boxed()
        }
        Err(error) => std::future::ready(Err(Error::Internal(error.into()))).boxed(),
    })
}

fn options<J: Job>(ctx: &Ctx, concurrency: usize) -> Options {
    Options {
        max_attempts: u32::try_from(J::MAX_ATTEMPTS).unwrap_or(u32::MAX),
        max_backoff: J::MAX_BACKOFF,
        outage_limit: J::OUTAGE_LIMIT,
        timeout: J::TIMEOUT,
        concurrency,
        most_at_once: J::MOST_AT_ONCE,
        needs: J::NEEDS.iter().map(|need| Cow::Borrowed(need.as_str())).collect(),
        on_dead: Some(hook::<J>(ctx, |ctx, mut tx, job, reason| {
            async move {
                job.abandon(&mut tx, &reason, ctx.clock.now()).await?;
                Ok(tx)
            }
            .boxed()
        })),
        on_stale: Some(hook::<J>(ctx, |_, mut tx, job, _| {
            async move {
                job.undo(&mut tx).await?;
                Ok(tx)
            }
            .boxed()
        })),
        ..Options::new(J::QUEUE)
    }
}

type Tell<J> = fn(Ctx, Tx<'static>, J, String) -> BoxFuture<'static, Result<Tx<'static>>>;

/// Calls `tell` in one of our transactions. A payload that cannot be deserialized is not passed on; its row stays, with the
/// payload.
fn hook<J: Job>(ctx: &Ctx, tell: Tell<J>) -> Hook {
    let ctx = ctx.clone();
    Arc::new(move |tx, hooked| {
        let ctx = ctx.clone();
        async move {
            let Ok(job) = serde_json::from_slice(&hooked.payload) else { return Ok(tx) };
            let tx = tell(ctx.clone(), ctx.tx(tx), job, hooked.reason).await;
            let done = async { tx?.into_inner().await }.await;
            done.map_err(|error| errors::in_hook(&error))
        }
        .boxed()
    })
}

/// The same context, but with connections to the mail server that are limited over all workers (`SMTP_MAX_CONNECTIONS`).
fn limited(ctx: &Ctx, settings: &Settings) -> Ctx {
    let mut ctx = ctx.clone();
    if let Some(connections) = ctx.config.mail.connections {
        let (pool, worker) = (ctx.pool.clone(), settings.instance.clone());
        let places = Places::new(pool, worker, connections, ctx.config.worker.rescue_after);
        ctx.mailer = ctx.mailer.limited(places);
    }
    ctx
}

#[cfg(test)]
mod tests;
