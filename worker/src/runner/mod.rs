//! Runs jobs: apalis's workers drive them, one per job type, over a source and a recorder of our own.
//!
//! The life of a job is drawn in `docs/jobs.md`; its steps are the statements of [`erp_core::jobs::life`]. apalis's own
//! Postgres backend is not used for taking and ending: it drops a fetch that is under way when it stops, gives up for
//! good an acknowledgement that the database refused, and an error of it drops what runs.
mod attempt;
mod breakers;
mod presence;
mod process;
mod recorder;
mod source;

use std::{sync::Arc, time::Duration};

use apalis::prelude::{Monitor, MonitorError, WorkerBuilder};
use erp_core::{
    Ctx, Error, Result, Tx,
    jobs::{Dependency, Job, Verdict, breaker, life},
    mailer::Places,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::time::timeout;

pub(crate) use self::breakers::Breakers;
use self::{
    attempt::guarded,
    process::Process,
    recorder::Recorder,
    source::{Held, Source},
};
use crate::{Settings, wake::Wake, work::Work};

/// Why the workers could not run to their end.
pub type StopError = MonitorError;

/// Of the time that a stop may take, the part in which jobs may end.
const FOR_JOBS: f64 = 0.8;
/// That for recording, and that for handing back.
const FOR_REST: f64 = 0.1;

/// Runs one attempt of a job of one type; erased, so that all types share what follows.
type Run = Arc<dyn Fn(Work, &[u8]) -> BoxFuture<'static, Result<Verdict>> + Send + Sync>;
/// [`Job::abandon`], erased.
type Abandon =
    for<'a> fn(&'a Ctx, &'a mut Tx<'static>, &'a [u8], &'a str) -> BoxFuture<'a, Result<()>>;
/// [`Job::undo`], erased.
type Undo = for<'a> fn(&'a mut Tx<'static>, &'a [u8]) -> BoxFuture<'a, Result<()>>;

/// One job type, and what runs it.
#[derive(Clone)]
struct Handler {
    queue: &'static str,
    needs: &'static [Dependency],
    max_attempts: usize,
    max_backoff: Duration,
    outage_limit: Duration,
    timeout: Duration,
    run: Run,
    abandon: Abandon,
    undo: Undo,
}

pub(crate) struct Runner {
    ctx: Ctx,
    settings: Settings,
    wake: Wake,
    process: Arc<Process>,
    recorder: Recorder,
    monitor: Monitor,
    handlers: Vec<Handler>,
}

impl Runner {
    pub(crate) fn new(ctx: &Ctx, settings: &Settings) -> Self {
        let ctx = &limited(ctx, settings);
        let process = Arc::new(Process::new(settings.instance.clone(), ctx.pool.clone()));
        let monitor = Monitor::new()
            // Nothing of ours ends a worker; should apalis do it, it is to come back.
            .should_restart(|_worker, _error| true)
            .shutdown_timeout(settings.shutdown_timeout.mul_f64(FOR_JOBS));
        Self {
            ctx: ctx.clone(),
            settings: settings.clone(),
            wake: Wake::default(),
            recorder: Recorder::start(ctx.clone(), process.clone()),
            process,
            monitor,
            handlers: Vec::new(),
        }
    }

    /// Runs the jobs of type `J` with `handler`, if this process serves their queue.
    pub(crate) fn job<J: Job, V, F, Fut>(self, handler: F) -> Self
    where
        V: Into<Verdict> + 'static,
        F: Fn(Work, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<V>> + Send + 'static,
    {
        let config = &self.ctx.config.worker;
        if config.queues.as_ref().is_some_and(|queues| !queues.iter().any(|q| q == J::QUEUE)) {
            return self;
        }
        let concurrency = config.concurrency.unwrap_or(J::CONCURRENCY).min(J::MOST_AT_ONCE);
        let run: Run = Arc::new(move |work, payload| match decode::<J>(payload) {
            Ok(job) => guarded(J::TIMEOUT, handler(work, job).map(|r| r.map(Into::into))).boxed(),
            Err(error) => std::future::ready(Err(error)).boxed(),
        });
        let handler = Handler {
            queue: J::QUEUE,
            needs: J::NEEDS,
            max_attempts: J::MAX_ATTEMPTS,
            max_backoff: J::MAX_BACKOFF,
            outage_limit: J::OUTAGE_LIMIT,
            timeout: J::TIMEOUT,
            run,
            abandon: abandon::<J>,
            undo: undo::<J>,
        };
        self.register(handler, concurrency)
    }

    fn register(mut self, handler: Handler, concurrency: usize) -> Self {
        self.handlers.push(handler.clone());
        let bell = self.wake.queue(handler.queue);
        let (ctx, process, recorder) =
            (self.ctx.clone(), self.process.clone(), self.recorder.clone());
        let poll = self.settings.poll;
        self.monitor = self.monitor.register(move |_restarts| {
            let (ctx, process, recorder) = (ctx.clone(), process.clone(), recorder.clone());
            let source = Source::new(
                ctx.pool.clone(),
                handler.queue,
                handler.needs,
                &process,
                concurrency,
                bell.clone(),
                poll,
            );
            let handler = handler.clone();
            WorkerBuilder::new(format!("{}@{}", handler.queue, process.name)).backend(source).build(
                move |held: Held| {
                    process.clone().run(ctx.clone(), handler.clone(), held, recorder.clone())
                },
            )
        });
        self
    }

    /// Does one job at once and outside the queue: without attempts, and without a record.
    pub(crate) async fn perform(&self, queue: &str, payload: &[u8]) -> Result<Verdict> {
        let handler = self.handlers.iter().find(|handler| handler.queue == queue);
        let handler = handler.ok_or_else(|| anyhow::anyhow!("no handler for {queue}"))?;
        (handler.run)(Work::new(self.ctx.clone(), None, self.process.breakers.clone()), payload)
            .await
    }

    /// Runs everything until `stop` resolves and what runs has ended, or the time for that is over. What is held then
    /// is handed back.
    pub(crate) async fn run_until(
        self,
        stop: impl Future<Output = std::io::Result<()>> + Send,
    ) -> Result<(), StopError> {
        let Self { ctx, settings, mut wake, process, recorder, monitor, handlers } = self;
        let changed = wake.queue(breaker::BELL);
        let queues = handlers.iter().map(|handler| handler.queue).collect::<Vec<_>>().join(",");
        // What waits for something outside comes to its end, or to a point where it can be handed back.
        let stop = {
            let process = process.clone();
            async move {
                let stopped = stop.await;
                process.wind_down();
                stopped
            }
        };
        let done = tokio::select! {
            done = monitor.run_with_signal(stop) => done,
            never = wake.listen(&ctx.pool) => match never {},
            never = presence::keep(&ctx, &process, &queues) => match never {},
            never = Box::pin(process.breakers.keep(&changed)) => match never {},
        };
        process.abort_all();
        let rest_limit = settings.shutdown_timeout.mul_f64(FOR_REST);
        if timeout(rest_limit, recorder.finish()).await.is_err() {
            tracing::warn!(
                "the database is away: what ended last is not recorded, and will be rescued and run again"
            );
        }
        let rest = async {
            let jobs = life::hand_back(&ctx.pool, &settings.instance, None).await?;
            breaker::release(&ctx.pool, &settings.instance, None).await?;
            life::sign_off(&ctx.pool, &settings.instance).await?;
            Ok::<_, Error>(jobs)
        };
        match timeout(rest_limit, rest).await {
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

/// The same context with connections to the mail server that are limited over all workers (`SMTP_MAX_CONNECTIONS`).
fn limited(ctx: &Ctx, settings: &Settings) -> Ctx {
    let mut ctx = ctx.clone();
    if let Some(connections) = ctx.config.mail.connections {
        let (pool, worker) = (ctx.pool.clone(), settings.instance.clone());
        let places = Places::new(pool, worker, connections, ctx.config.worker.rescue_after);
        ctx.mailer = ctx.mailer.limited(places);
    }
    ctx
}

fn decode<J: Job>(payload: &[u8]) -> Result<J> {
    serde_json::from_slice(payload).map_err(|e| {
        Error::Internal(anyhow::anyhow!("a payload that this version does not know: {e}"))
    })
}

/// Nobody knows what a job was about that cannot be read; its row stays, with its payload.
fn abandon<'a, J: Job>(
    ctx: &'a Ctx,
    tx: &'a mut Tx<'static>,
    payload: &'a [u8],
    reason: &'a str,
) -> BoxFuture<'a, Result<()>> {
    async move {
        match decode::<J>(payload) {
            Ok(job) => job.abandon(tx, reason, ctx.clock.now()).await,
            Err(_) => Ok(()),
        }
    }
    .boxed()
}

fn undo<'a, J: Job>(tx: &'a mut Tx<'static>, payload: &'a [u8]) -> BoxFuture<'a, Result<()>> {
    async move {
        match decode::<J>(payload) {
            Ok(job) => job.undo(tx).await,
            Err(_) => Ok(()),
        }
    }
    .boxed()
}

#[cfg(test)]
mod tests;
