//! A queue in a database of its own, and workers on it.
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use apalis::prelude::{BoxDynError, Monitor, WorkerBuilder};
use apalis_hot::{Lease, NewJob, Options, Process, Settings, admin};
use erp_dev::TestDb;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

/// The payload of all jobs here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub n: usize,
}

pub const QUEUE: &str = "probes";

pub struct Bench {
    pub pool: PgPool,
    pub url: String,
    _db: TestDb,
}

static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// A unique name for a process.
pub fn name() -> String {
    format!("worker-{}-{}", std::process::id(), WORKERS.fetch_add(1, SeqCst))
}

impl Bench {
    pub async fn new() -> Self {
        let db = TestDb::new().await;
        Self { pool: db.pool.clone(), url: db.url(), _db: db }
    }

    /// Settings with a short interval of polling.
    pub fn settings() -> Settings {
        Settings { poll: Duration::from_millis(20), ..Settings::new(name()) }
    }

    pub fn process(&self) -> Process {
        Process::new(&self.pool, Self::settings())
    }

    pub async fn enqueue(&self, count: usize) -> Vec<String> {
        let mut tx = self.pool.begin().await.unwrap();
        let mut ids = Vec::new();
        for n in 0..count {
            let job = NewJob::new(QUEUE, &Probe { n }).unwrap();
            ids.push(apalis_hot::enqueue(&mut tx, &job).await.unwrap().unwrap());
        }
        tx.commit().await.unwrap();
        ids
    }

    pub async fn one(&self) -> String {
        self.enqueue(1).await.remove(0)
    }

    pub async fn job(&self, id: &str) -> admin::Job {
        admin::find(&self.pool, id).await.unwrap()
    }

    /// The outcomes of the ended attempts of a job.
    pub async fn outcomes(&self, id: &str) -> Vec<String> {
        self.job(id).await.history().into_iter().map(|attempt| attempt.outcome).collect()
    }

    /// Runs `handler` in a process until no job runs or is due.
    pub async fn drain(&self, options: Options, handler: Handler) {
        let process = self.process();
        let stop = self.idle();
        run(&process, options, handler, stop).await;
    }

    /// The same until no job of `queue` runs or is due.
    pub async fn drain_of(&self, queue: &str, options: Options, handler: Handler) {
        let (pool, queue) = (self.pool.clone(), queue.to_owned());
        let stop = async move {
            until("nothing of the queue is left to run", async || {
                let left = sqlx::query_scalar::<_, i64>(
                    "select count(*) from queue.jobs where queue = $1 and (lock_by is not null or run_at <= clock_timestamp())",
                );
                left.bind(&queue).fetch_one(&pool).await.unwrap() == 0
            })
            .await;
            Ok(())
        };
        run(&self.process(), options, handler, stop).await;
    }

    pub fn idle(&self) -> impl Future<Output = std::io::Result<()>> + use<> {
        let pool = self.pool.clone();
        async move {
            until("nothing is left to run", async || {
                let left = sqlx::query_scalar::<_, i64>(
                    "select count(*) from queue.jobs where lock_by is not null or run_at <= clock_timestamp()",
                );
                left.fetch_one(&pool).await.unwrap() == 0
            })
            .await;
            Ok(())
        }
    }

    /// Makes all jobs due that are due later.
    pub async fn hurry(&self) {
        let hurry = "update queue.jobs set run_at = clock_timestamp() where lock_by is null and run_at > clock_timestamp()";
        sqlx::query(hurry).execute(&self.pool).await.unwrap();
    }
}

pub type Handler =
    Arc<dyn Fn(Probe, Lease) -> BoxFuture<'static, Result<(), BoxDynError>> + Send + Sync>;

pub fn handler<F, Fut>(f: F) -> Handler
where
    F: Fn(Probe, Lease) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), BoxDynError>> + Send + 'static,
{
    Arc::new(move |probe, lease| Box::pin(f(probe, lease)))
}

/// A monitor with one worker of this process.
pub fn monitor(process: &Process, options: Options, handler: Handler) -> Monitor {
    also(Monitor::new(), process, options, handler)
}

/// `monitor` with one worker more.
pub fn also(monitor: Monitor, process: &Process, options: Options, handler: Handler) -> Monitor {
    let (process, queue) = (process.clone(), options.queue.clone());
    monitor.register(move |_| {
        let handler = handler.clone();
        WorkerBuilder::new(format!("{queue}@{}", process.name()))
            .backend(process.storage::<Probe>(options.clone()))
            .build(move |probe: Probe, lease: Lease| handler(probe, lease))
    })
}

/// Runs a process with one worker until `scenario` has ended.
pub fn run(
    process: &Process,
    options: Options,
    handler: Handler,
    scenario: impl Future<Output = std::io::Result<()>>,
) -> impl Future<Output = ()> {
    run_monitor(process, monitor(process, options, handler), scenario)
}

/// The same with the workers of `monitor`.
pub fn run_monitor(
    process: &Process,
    monitor: Monitor,
    scenario: impl Future<Output = std::io::Result<()>>,
) -> impl Future<Output = ()> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let scenario = Box::pin(async {
        scenario.await.unwrap();
        let _ = tell.send(());
    });
    let running = Box::pin(async move {
        let stop = async {
            drop(told.await);
            Ok(())
        };
        process.run(monitor, stop).await.unwrap();
    });
    async move {
        tokio::join!(running, scenario);
    }
}

/// Numbers that handlers have noted, in order.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<usize>>>);

impl Seen {
    pub fn push(&self, n: usize) {
        self.0.lock().unwrap().push(n);
    }

    pub fn all(&self) -> Vec<usize> {
        self.0.lock().unwrap().clone()
    }

    pub fn len(&self) -> usize {
        self.all().len()
    }
}

/// Waits until `is_so`; panics after a minute.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_mins(1), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
