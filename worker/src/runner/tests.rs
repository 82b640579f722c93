//! What happens to jobs that fail, panic, hang, or kill their worker, on a real queue.
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use erp_core::{Config, config::Env, jobs::enqueue};
use erp_dev::TestDb;
use serde::{Deserialize, Serialize};

use super::*;

/// A job that does what the test says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Probe {
    n: usize,
}

impl Job for Probe {
    const QUEUE: &'static str = "tests.probe";
    const MAX_ATTEMPTS: usize = 3;
    const TIMEOUT: Duration = Duration::from_millis(200);
}

struct Bench {
    ctx: Ctx,
    db: TestDb,
    _files: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let (db, files) = (TestDb::new().await, tempfile::tempdir().unwrap());
        let pairs = [
            ("DATABASE_URL", "postgres://unused"),
            ("SECRET_KEY", "the key of tests, long enough to sign"),
            ("UPLOAD_DIRECTORY", files.path().to_str().unwrap()),
        ];
        let config = Config::read(Env::from_pairs(&pairs)).unwrap();
        let ctx = Ctx::with_pool(config, db.pool.clone()).unwrap();
        Self { ctx, db, _files: files }
    }

    fn settings(&self, poll: Duration) -> Settings {
        Settings { poll, ..Settings::new(&self.ctx) }
    }

    fn runner(&self) -> Runner {
        Runner::new(&self.ctx, &self.settings(Duration::from_millis(20)))
    }

    async fn enqueue(&self, count: usize) {
        let mut tx = self.ctx.begin().await.unwrap();
        for n in 0..count {
            enqueue(&mut tx, &Probe { n }).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// Runs `runner` until no job may run now.
    async fn drain(&self, runner: Runner) {
        runner.run_until(self.idle()).await.unwrap();
    }

    fn idle(&self) -> impl Future<Output = std::io::Result<()>> + Send + use<> {
        let pool = self.db.pool.clone();
        async move {
            loop {
                let runnable = sqlx::query_scalar!(
                    r#"
                        select count(*) as "count!" from apalis.jobs
                        where status in ('Queued', 'Running')
                           or ((status = 'Pending' or (status = 'Failed' and attempts < max_attempts)) and run_at <= now())
                    "#
                );
                if runnable.fetch_one(&pool).await.unwrap() == 0 {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// State, attempts, and whether the next one is in the future.
    async fn job(&self) -> (String, i32, bool) {
        let row =
            sqlx::query!(r#"select status, attempts, run_at > now() as "later!" from apalis.jobs"#)
                .fetch_one(&self.db.pool)
                .await
                .unwrap();
        (row.status, row.attempts, row.later)
    }

    async fn skip_backoff(&self) {
        sqlx::query!("update apalis.jobs set run_at = now() - interval '1 second'")
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Leaves the one job as a worker leaves it that was killed an hour ago.
    async fn orphan(&self, status: &str) {
        sqlx::query!(
            "insert into apalis.workers (id, worker_type, storage_name, layers, last_seen)
             values ('dead', 'tests.probe', 'x', '', now() - interval '1 hour') on conflict do nothing"
        )
        .execute(&self.db.pool)
        .await
        .unwrap();
        sqlx::query!(
            "update apalis.jobs set status = $1, lock_by = 'dead', lock_at = now()",
            status
        )
        .execute(&self.db.pool)
        .await
        .unwrap();
    }
}

fn outage() -> Error {
    Error::unavailable("essai", anyhow::anyhow!("away"))
}

#[tokio::test]
async fn a_passing_failure_waits_in_the_database_and_then_succeeds() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let runner = || {
        let runs = runs.clone();
        bench.runner().job(move |_, _: Probe| {
            let run = runs.fetch_add(1, SeqCst);
            async move { if run == 0 { Err(outage()) } else { Ok(()) } }
        })
    };
    bench.drain(runner()).await;
    assert_eq!(bench.job().await, ("Failed".into(), 1, true));
    bench.drain(runner()).await;
    assert_eq!(runs.load(SeqCst), 1, "a restart does not shorten the wait");
    bench.skip_backoff().await;
    bench.drain(runner()).await;
    assert_eq!((bench.job().await.0.as_str(), runs.load(SeqCst)), ("Done", 2));
}

#[tokio::test]
async fn the_last_attempt_ends_in_death_and_the_business_is_told_why() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..4 {
        let told = told.clone();
        let runner = bench.runner().job_or(
            |_, _: Probe| async { Err(outage()) },
            move |_, job, reason| {
                told.lock().unwrap().push((job.n, reason));
                std::future::ready(Ok(()))
            },
        );
        bench.drain(runner).await;
        bench.skip_backoff().await;
    }
    assert_eq!(bench.job().await, ("Killed".into(), 3, false));
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("away"), "{told:?}");
}

#[tokio::test]
async fn what_can_never_succeed_is_not_tried_again() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    bench
        .drain(bench.runner().job(|_, _: Probe| async { Err(Error::refused("non", "non", "no")) }))
        .await;
    assert_eq!(bench.job().await, ("Killed".into(), 1, false));
}

#[tokio::test]
async fn a_panic_and_a_hang_cost_one_attempt_and_no_worker() {
    let bench = Bench::new().await;
    bench.enqueue(3).await;
    let runner = bench.runner().job(|_, job: Probe| async move {
        match job.n {
            0 => panic!("on purpose"),
            1 => std::future::pending().await,
            _ => Ok(()),
        }
    });
    bench.drain(runner).await;
    let rows = sqlx::query!("select status, attempts from apalis.jobs order by status, attempts")
        .fetch_all(&bench.db.pool)
        .await
        .unwrap();
    let states: Vec<_> = rows.iter().map(|r| (r.status.as_str(), r.attempts)).collect();
    assert_eq!(states, [("Done", 1), ("Failed", 1), ("Failed", 1)]);
}

#[tokio::test]
async fn a_payload_that_no_code_knows_is_kept_and_backed_off_and_then_dead() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    sqlx::query!("update apalis.jobs set job = $1", br#"{"of":"next year"}"#.as_slice())
        .execute(&bench.db.pool)
        .await
        .unwrap();
    for expected in [("Failed", 1), ("Failed", 2), ("Killed", 3)] {
        bench.drain(bench.runner().job(|_, _: Probe| async { Ok(()) })).await;
        let (status, attempts, _) = bench.job().await;
        assert_eq!((status.as_str(), attempts), expected);
        bench.skip_backoff().await;
    }
}

#[tokio::test]
async fn the_job_of_a_dead_worker_is_taken_up_and_counted_as_a_rescue() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    bench.orphan("Running").await;
    // A worker looks for orphans when it comes, and with each heartbeat.
    let runner = bench.runner().job(|_, _: Probe| async { Ok(()) });
    bench.drain(runner).await;
    let row =
        sqlx::query!("select status, attempts, metadata -> 'rescues' as rescues from apalis.jobs")
            .fetch_one(&bench.db.pool)
            .await
            .unwrap();
    assert_eq!((row.status.as_str(), row.attempts, row.rescues.as_deref()), ("Done", 2, Some("1")));
}

#[tokio::test]
async fn a_job_that_its_dead_worker_had_not_begun_has_lost_nothing() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    bench.orphan("Queued").await;
    bench.drain(bench.runner().job(|_, _: Probe| async { Ok(()) })).await;
    let row =
        sqlx::query!("select status, attempts, metadata -> 'rescues' as rescues from apalis.jobs")
            .fetch_one(&bench.db.pool)
            .await
            .unwrap();
    assert_eq!((row.status.as_str(), row.attempts, row.rescues.as_deref()), ("Done", 1, None));
}

#[tokio::test]
async fn a_job_that_kills_its_worker_three_times_is_dead() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    for _ in 0..3 {
        bench.orphan("Running").await;
        // The rescue alone, as another worker's heartbeat does it.
        let mut tx = bench.ctx.begin().await.unwrap();
        let rescued =
            apalis_postgres::queries::reenqueue_orphaned(&mut *tx, "tests.probe", 1).await;
        assert_eq!(rescued.unwrap(), 1);
        tx.commit().await.unwrap();
    }
    let (runs, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (r, t) = (runs.clone(), told.clone());
    let runner = bench.runner().job_or(
        move |_, _: Probe| {
            r.fetch_add(1, SeqCst);
            std::future::ready(Ok(()))
        },
        move |_, _, _| {
            t.fetch_add(1, SeqCst);
            std::future::ready(Ok(()))
        },
    );
    bench.drain(runner).await;
    assert_eq!(
        (bench.job().await.0.as_str(), runs.load(SeqCst), told.load(SeqCst)),
        ("Killed", 0, 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_workers_share_a_queue_and_run_each_job_once() {
    let bench = Bench::new().await;
    bench.enqueue(300).await;
    let runs: Arc<Mutex<Vec<usize>>> = Arc::default();
    let runner = || {
        let runs = runs.clone();
        bench.runner().job(move |_, job: Probe| {
            runs.lock().unwrap().push(job.n);
            std::future::ready(Ok(()))
        })
    };
    tokio::join!(bench.drain(runner()), bench.drain(runner()), bench.drain(runner()));
    let mut runs = runs.lock().unwrap().clone();
    runs.sort_unstable();
    assert_eq!(runs, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_job_that_arrives_wakes_an_idle_worker() {
    let bench = Bench::new().await;
    // Polling alone would find it in an hour.
    let settings = bench.settings(Duration::from_hours(1));
    let done = Arc::new(tokio::sync::Notify::new());
    let ran = done.clone();
    let runner = Runner::new(&bench.ctx, &settings).job(move |_, _: Probe| {
        ran.notify_one();
        std::future::ready(Ok(()))
    });
    let arrivals = async {
        for _ in 0..20 {
            bench.enqueue(1).await;
            tokio::time::timeout(Duration::from_secs(20), done.notified()).await.unwrap();
        }
        Ok(())
    };
    Box::pin(runner.run_until(arrivals)).await.unwrap();
}

#[tokio::test]
async fn a_stop_waits_for_what_runs_and_gives_back_the_rest_for_nothing() {
    let bench = Bench::new().await;
    bench.enqueue(10).await;
    let begun = Arc::new(tokio::sync::Notify::new());
    let b = begun.clone();
    let runner = bench.runner().job(move |_, _: Probe| {
        b.notify_one();
        async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Ok(())
        }
    });
    let stop = async {
        begun.notified().await;
        Ok(())
    };
    runner.run_until(stop).await.unwrap();
    let rows = sqlx::query!("select status, attempts from apalis.jobs")
        .fetch_all(&bench.db.pool)
        .await
        .unwrap();
    let done = rows.iter().filter(|r| (r.status.as_str(), r.attempts) == ("Done", 1)).count();
    let back = rows.iter().filter(|r| (r.status.as_str(), r.attempts) == ("Pending", 0)).count();
    assert!(done >= 1 && done + back == 10, "{rows:?}");
}
