//! What every job gets, written once: a span, a time limit, a guard against panics, and then retry or give up.
use std::{error::Error as StdError, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use apalis::{layers::WorkerBuilderExt as _, prelude::*};
use apalis_postgres::{Config, PostgresStorage};
use erp_core::{
    Ctx, Error, Result,
    jobs::{self, CAUSE, Cause, Job, MAX_RESCUES, REQUEST_ID, RESCUES},
};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::Value;
use tracing::Instrument as _;

use crate::{Settings, wake::Wake};

/// Why the workers could not run to their end.
pub type StopError = MonitorError;

/// Heartbeats in the time after which a silent worker's jobs go to others.
const HEARTBEATS: u32 = 5;

/// Runs one attempt of a job of one type; erased, so that all types share what follows.
type Attempt_ = Arc<dyn Fn(Ctx, Value) -> BoxFuture<'static, Result<()>> + Send + Sync>;
/// Tells the business that a job is dead.
type GiveUp = Arc<dyn Fn(Ctx, Value, String) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// One job type, and what runs it.
#[derive(Clone)]
struct Handler {
    queue: &'static str,
    max_attempts: usize,
    max_backoff: Duration,
    attempt: Attempt_,
    give_up: GiveUp,
}

pub(crate) struct Runner {
    ctx: Ctx,
    settings: Settings,
    wake: Wake,
    monitor: Monitor,
}

impl Runner {
    pub(crate) fn new(ctx: &Ctx, settings: &Settings) -> Self {
        let monitor = Monitor::new()
            // Whatever ended a worker (the database going away, as a rule) may pass.
            .should_restart(|_worker, _error| true)
            .shutdown_timeout(settings.shutdown_timeout);
        Self { ctx: ctx.clone(), settings: settings.clone(), wake: Wake::default(), monitor }
    }

    /// Runs the jobs of type `J` with `handler`.
    pub(crate) fn job<J: Job, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(Ctx, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.job_or(handler, |_, _, _| std::future::ready(Ok(())))
    }

    /// The same; `give_up` is told of a job that will not be tried again, and why.
    pub(crate) fn job_or<J: Job, F, Fut, G, Gut>(self, handler: F, give_up: G) -> Self
    where
        F: Fn(Ctx, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
        G: Fn(Ctx, J, String) -> Gut + Send + Sync + 'static,
        Gut: Future<Output = Result<()>> + Send + 'static,
    {
        let attempt: Attempt_ = Arc::new(move |ctx, payload| match decode::<J>(payload) {
            Ok(job) => guarded(J::TIMEOUT, handler(ctx, job)).boxed(),
            Err(error) => std::future::ready(Err(error)).boxed(),
        });
        let give_up: GiveUp = Arc::new(move |ctx, payload, reason| match decode::<J>(payload) {
            Ok(job) => guarded(J::TIMEOUT, give_up(ctx, job, reason)).boxed(),
            // Nobody knows what it was about; its row stays, with its payload.
            Err(_) => std::future::ready(Ok(())).boxed(),
        });
        let handler = Handler {
            queue: J::QUEUE,
            max_attempts: J::MAX_ATTEMPTS,
            max_backoff: J::MAX_BACKOFF,
            attempt,
            give_up,
        };
        self.register(handler, J::CONCURRENCY, J::BATCH)
    }

    fn register(mut self, handler: Handler, concurrency: usize, batch: usize) -> Self {
        let config = &self.ctx.config.worker;
        if config.queues.as_ref().is_some_and(|queues| !queues.iter().any(|q| q == handler.queue)) {
            return self;
        }
        let concurrency = config.concurrency.unwrap_or(concurrency);
        let (ctx, settings) = (self.ctx.clone(), self.settings.clone());
        let notified = self.wake.queue(handler.queue);
        self.monitor = self.monitor.register(move |restarts| {
            let (ctx, handler, queue) = (ctx.clone(), handler.clone(), handler.queue);
            let config = Config::default()
                .queue(queue)
                .batch_size(batch)
                .heartbeat_interval(ctx.config.worker.rescue_after / HEARTBEATS)
                .missed_heartbeats(HEARTBEATS as usize);
            // The payload stays JSON here: one that no code knows is then an ordinary failure of ours.
            let backend = PostgresStorage::<Value>::new(&ctx.pool)
                .with_config(config)
                .poll_with_stream(notified.stream(settings.poll))
                .before_start(move |_| pause_before_restart(restarts));
            // A name of its own for each life: jobs of the life before are then seen to be orphans.
            WorkerBuilder::new(format!("{queue}@{}-{restarts}", settings.instance))
                .backend(backend)
                .concurrency(concurrency)
                .build(
                    move |payload: Value, id: TaskId, attempt: Attempt, metadata: MetadataStore| {
                        attempt_job(
                            ctx.clone(),
                            handler.clone(),
                            payload,
                            id,
                            attempt.current(),
                            metadata,
                        )
                    },
                )
        });
        self
    }

    /// Runs everything until `stop` resolves and what runs has ended, or the time for that is over.
    pub(crate) async fn run_until(
        self,
        stop: impl Future<Output = std::io::Result<()>> + Send,
    ) -> Result<(), StopError> {
        let done = tokio::select! {
            done = self.monitor.run_with_signal(stop) => done,
            never = self.wake.listen(&self.ctx.pool) => match never {},
        };
        // apalis forgets the jobs of a fetch that was under way, and we do not wait for what takes too long.
        match jobs::hand_back(&self.ctx.pool, &self.settings.instance).await {
            Ok(0) => {}
            Ok(jobs) => tracing::info!(jobs, "handed back"),
            Err(error) => tracing::warn!(%error, "jobs not handed back: others will rescue them"),
        }
        done
    }
}

/// So that a database that is away is not asked a thousand times a second.
async fn pause_before_restart(restarts: usize) -> Result<(), apalis_postgres::Error> {
    if restarts > 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

fn decode<J: Job>(payload: Value) -> Result<J> {
    serde_json::from_value(payload).map_err(|e| {
        Error::Internal(anyhow::anyhow!("a payload that this version does not know: {e}"))
    })
}

/// `work` within `limit`; late or panicked it has failed like any other.
async fn guarded(limit: Duration, work: impl Future<Output = Result<()>>) -> Result<()> {
    match tokio::time::timeout(limit, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_panic)) => Err(Error::Internal(anyhow::anyhow!("panicked"))),
        Err(_) => Err(Error::unavailable("worker", anyhow::anyhow!("not done within {limit:?}"))),
    }
}

/// One attempt, from its log line to its verdict: done, again later (moved in the database before it is said), or dead.
async fn attempt_job(
    ctx: Ctx,
    handler: Handler,
    payload: Value,
    id: TaskId,
    attempt: usize,
    metadata: MetadataStore,
) -> Result<(), BoxDynError> {
    let request_id = metadata.get(REQUEST_ID).unwrap_or_default().to_owned();
    let rescues = metadata.get(RESCUES).and_then(|n| n.parse().ok()).unwrap_or(0);
    let span = tracing::info_span!("job", job.id = %id, job.queue = handler.queue, job.attempt = attempt, request_id);
    let cause = Cause(request_id.parse().ok());
    let work = async move {
        let started = std::time::Instant::now();
        let outcome = if rescues >= MAX_RESCUES {
            Err(Error::Internal(anyhow::anyhow!("{rescues} workers died while they ran it")))
        } else {
            (handler.attempt)(ctx.clone(), payload.clone()).await
        };
        let duration_ms = started.elapsed().as_millis();
        let Err(error) = outcome else {
            tracing::info!(duration_ms, outcome = "done", "job");
            return Ok(());
        };
        let reason = format!("{error:#}");
        if error.is_transient() && attempt < handler.max_attempts && rescues < MAX_RESCUES {
            let delay = jobs::backoff(attempt, handler.max_backoff);
            jobs::postpone(&ctx.pool, &id.to_string(), delay, handler.max_attempts).await?;
            tracing::warn!(duration_ms, outcome = "retry", error = reason, "job");
            return Err(error.into());
        }
        tracing::error!(duration_ms, outcome = "dead", error = reason, "job");
        if let Err(error) = (handler.give_up)(ctx.clone(), payload, reason).await {
            // What the job was about does not know yet that it is over: not dead before it does.
            jobs::postpone(&ctx.pool, &id.to_string(), handler.max_backoff, handler.max_attempts)
                .await?;
            return Err(error.into());
        }
        Err(AbortError::new(Box::<dyn StdError + Send + Sync>::from(error)).into())
    };
    CAUSE.scope(cause, work.instrument(span)).await
}

#[cfg(test)]
mod tests;
