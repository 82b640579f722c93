//! What happens to jobs that fail, panic, hang, or kill their worker, on a real queue.
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use chrono::{DateTime, Utc};
use erp_core::{
    Config,
    config::Env,
    jobs::{enqueue, operate},
};
use erp_dev::TestDb;
use serde::{Deserialize, Serialize};

use super::*;

/// After which a process is held for dead here.
const SILENCE: Duration = Duration::from_mins(1);

/// A job that does what the test says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Probe {
    n: usize,
}

impl Job for Probe {
    const QUEUE: &'static str = "tests.probe";
    const MAX_ATTEMPTS: usize = 3;
    const TIMEOUT: Duration = Duration::from_millis(200);

    /// What the business is told is seen in `competences`, a table as good as any.
    async fn abandon(&self, tx: &mut Tx<'_>, reason: &str, _now: DateTime<Utc>) -> Result<()> {
        assert!(self.n != UNTELLABLE, "nobody can be told");
        let told = format!("{} {reason}", self.n);
        sqlx::query!("insert into competences (nom) values ($1)", told).execute(&mut **tx).await?;
        Ok(())
    }

    async fn undo(&self, tx: &mut Tx<'_>) -> Result<()> {
        assert!(self.n != UNTELLABLE, "it cannot be undone");
        let undone = format!("{} undone", self.n);
        sqlx::query!("insert into competences (nom) values ($1)", undone)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

/// The same with all the time of the world, one at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Slow {}

impl Job for Slow {
    const QUEUE: &'static str = Probe::QUEUE;
    const TIMEOUT: Duration = Duration::from_hours(1);
    const CONCURRENCY: usize = 1;
}

/// The number of a job whose `abandon` panics.
const UNTELLABLE: usize = 404;

struct Bench {
    ctx: Ctx,
    db: TestDb,
    _files: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let (db, files) = (TestDb::new().await, tempfile::tempdir().unwrap());
        let mut pairs = vec![
            ("DATABASE_URL", "postgres://unused"),
            ("SECRET_KEY", "the key of tests, long enough to sign"),
            ("UPLOAD_DIRECTORY", files.path().to_str().unwrap()),
        ];
        pairs.extend(settings);
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
                        where status = 'Running'
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

    /// What the business was told.
    async fn told(&self) -> Vec<String> {
        let told = sqlx::query_scalar!("select nom from competences order by nom");
        told.fetch_all(&self.db.pool).await.unwrap()
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

    /// Leaves the one job as a worker leaves it that took it and was killed an hour ago.
    async fn orphan(&self) {
        life::heartbeat(&self.ctx.pool, "dead", "", SILENCE).await.unwrap();
        let taken = life::take(&self.ctx.pool, Probe::QUEUE, "dead", 1, &[]).await.unwrap();
        assert_eq!(taken.len(), 1);
        sqlx::query!(
            "update apalis.workers set last_seen = now() - interval '1 hour' where id = 'dead'"
        )
        .execute(&self.db.pool)
        .await
        .unwrap();
    }

    /// The rescue alone, as a worker's heartbeat does it.
    async fn rescue(&self) {
        self.heard("rescuer", 3600, 0).await;
        let rescued = life::rescue(&self.ctx.pool, "rescuer", SILENCE).await.unwrap();
        assert_eq!(rescued, [(Probe::QUEUE.to_owned(), 1)]);
    }

    /// Leaves `worker` as one that has been heard of without a gap since so many seconds ago, and until so many.
    async fn heard(&self, worker: &str, since: i32, until: i32) {
        life::heartbeat(&self.ctx.pool, worker, "", SILENCE).await.unwrap();
        sqlx::query!(
            "update apalis.workers set heard_since = now() - make_interval(secs => $2), last_seen = now() - make_interval(secs => $3)
             where id = $1",
            worker,
            f64::from(since),
            f64::from(until),
        )
        .execute(&self.db.pool)
        .await
        .unwrap();
    }

    /// Outcomes of the attempts of the one job, oldest first.
    async fn history(&self) -> Vec<String> {
        let history = sqlx::query_scalar!(
            r#"
                select a ->> 'outcome' as "outcome!"
                from apalis.jobs, jsonb_array_elements(attempts_log) with ordinality as e (a, n) order by n
            "#
        );
        history.fetch_all(&self.db.pool).await.unwrap()
    }
}

fn fails(error: Error) -> Result<()> {
    Err(error)
}

fn outage() -> Error {
    Error::unavailable("essai", anyhow::anyhow!("away"))
}

fn fault() -> Error {
    Error::Internal(anyhow::anyhow!("a fault of the job"))
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
            async move { if run == 0 { Err(fault()) } else { Ok(()) } }
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
    for _ in 0..4 {
        bench.drain(bench.runner().job(|_, _: Probe| async { fails(fault()) })).await;
        bench.skip_backoff().await;
    }
    assert_eq!(bench.job().await, ("Killed".into(), 3, false));
    assert_eq!(bench.history().await, ["retry", "retry", "dead"]);
    let told = bench.told().await;
    assert!(told.len() == 1 && told[0].contains("a fault of the job"), "{told:?}");
}

#[tokio::test]
async fn an_outage_costs_time_and_no_attempt_until_its_deadline() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let away = || bench.runner().job(|_, _: Probe| async { fails(outage()) });
    // More often than the job has attempts.
    for _ in 0..5 {
        bench.drain(away()).await;
        assert_eq!(bench.job().await, ("Failed".into(), 0, true));
        bench.skip_backoff().await;
    }
    // A fault of its own counts from one, and ends the outage.
    bench.drain(bench.runner().job(|_, _: Probe| async { fails(fault()) })).await;
    assert_eq!(bench.job().await, ("Failed".into(), 1, true));
    bench.skip_backoff().await;
    bench.drain(away()).await;
    sqlx::query!("update apalis.jobs set metadata = metadata || hstore('outage_since', (now() - interval '25 hours')::text)")
        .execute(&bench.db.pool)
        .await
        .unwrap();
    bench.skip_backoff().await;
    bench.drain(away()).await;
    assert_eq!(bench.job().await.0, "Killed");
    let history = bench.history().await;
    assert_eq!(history[4..], ["outage", "retry", "outage", "dead"], "{history:?}");
    assert!(bench.told().await[0].contains("away"));
}

#[tokio::test]
async fn an_attempt_that_lost_its_job_writes_nothing() {
    let bench = Bench::with(&[("SHUTDOWN_TIMEOUT", "1")]).await;
    bench.enqueue(1).await;
    let (begun, lost) =
        (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let outcome = Arc::new(Mutex::new(None));
    let runner = bench.runner().job({
        let (begun, lost, outcome) = (begun.clone(), lost.clone(), outcome.clone());
        move |work: Work, _: Slow| {
            let (begun, lost, outcome) = (begun.clone(), lost.clone(), outcome.clone());
            async move {
                let mut tx = work.begin().await?;
                sqlx::query!("insert into competences (nom) values ('held')")
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                begun.notify_one();
                lost.notified().await;
                let tx = work.begin().await;
                *outcome.lock().unwrap() =
                    Some(tx.as_ref().is_err_and(|e| matches!(e, Error::LeaseLost)));
                let mut tx = tx?;
                sqlx::query!("insert into competences (nom) values ('stale')")
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await
            }
        }
    });
    let pool = bench.db.pool.clone();
    let taken_over = async {
        begun.notified().await;
        // As another worker does that has taken the job over and runs it.
        life::heartbeat(&pool, "another", "", SILENCE).await.unwrap();
        sqlx::query!("update apalis.jobs set lock_by = 'another', lock_at = clock_timestamp()")
            .execute(&pool)
            .await
            .unwrap();
        lost.notify_one();
        while outcome.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    Box::pin(runner.run_until(taken_over)).await.unwrap();
    assert_eq!(*outcome.lock().unwrap(), Some(true));
    assert_eq!(bench.told().await, ["held"]);
    let row =
        sqlx::query!("select status, lock_by from apalis.jobs").fetch_one(&pool).await.unwrap();
    assert_eq!((row.status.as_str(), row.lock_by.as_deref()), ("Running", Some("another")));
}

#[tokio::test]
async fn what_a_stale_attempt_did_is_undone_whichever_way_it_ends() {
    let bench = Bench::new().await;
    bench.enqueue(4).await;
    let pool = bench.db.pool.clone();
    let runner = bench.runner().job({
        let pool = pool.clone();
        move |work: Work, job: Probe| {
            let pool = pool.clone();
            async move {
                // Another worker took it from a process that was silent, and was done with it.
                let id = &work.lease.as_ref().unwrap().job_id;
                sqlx::query!(
                    "update apalis.jobs set status = 'Done', lock_by = null, lock_at = null where id = $1",
                    id,
                )
                .execute(&pool)
                .await?;
                match job.n {
                    0 => Ok(()),
                    1 => work.begin().await.map(drop),
                    2 => Err(fault()),
                    _ => Err(Error::refused("essai", "pour de bon", "for good")),
                }
            }
        }
    });
    let all_told = async {
        while bench.told().await.len() < 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    };
    runner.run_until(all_told).await.unwrap();
    assert_eq!(bench.told().await, ["0 undone", "1 undone", "2 undone", "3 undone"]);
}

#[tokio::test]
async fn what_is_done_is_not_undone() {
    let bench = Bench::new().await;
    bench.enqueue(3).await;
    bench
        .drain(
            bench
                .runner()
                .job(|_, job: Probe| async move { if job.n == 0 { Ok(()) } else { Err(fault()) } }),
        )
        .await;
    assert_eq!(bench.told().await, [""; 0]);
}

#[tokio::test]
async fn nobody_takes_a_job_over_while_its_attempt_writes() {
    let bench = Bench::with(&[("SHUTDOWN_TIMEOUT", "1")]).await;
    bench.enqueue(1).await;
    life::heartbeat(&bench.ctx.pool, "silent", "", SILENCE).await.unwrap();
    let taken = life::take(&bench.ctx.pool, Probe::QUEUE, "silent", 1, &[]).await.unwrap();
    let [job] = taken.as_slice() else { panic!("{taken:?}") };
    let lease = erp_core::jobs::Lease::new(job.id.clone(), 1, job.since, Duration::from_mins(1));
    let tx = lease.begin(&bench.ctx).await.unwrap();
    sqlx::query!(
        "update apalis.workers set last_seen = now() - interval '1 hour' where id = 'silent'"
    )
    .execute(&bench.db.pool)
    .await
    .unwrap();
    bench.heard("rescuer", 3600, 0).await;
    let rescued = life::rescue(&bench.ctx.pool, "rescuer", SILENCE).await.unwrap();
    assert_eq!(rescued, [], "it is written to at the moment");
    tx.commit().await.unwrap();
    bench.rescue().await;
    assert!(matches!(lease.begin(&bench.ctx).await, Err(Error::LeaseLost)));
}

#[tokio::test]
async fn what_can_never_succeed_is_not_tried_again() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    bench
        .drain(
            bench.runner().job(|_, _: Probe| async { fails(Error::refused("non", "non", "no")) }),
        )
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
async fn a_death_whose_telling_panics_is_recorded_and_so_is_what_ends_after_it() {
    let bench = Bench::new().await;
    let mut tx = bench.ctx.begin().await.unwrap();
    for n in [UNTELLABLE, 1, 2] {
        enqueue(&mut tx, &Probe { n }).await.unwrap();
    }
    tx.commit().await.unwrap();
    let untold = erp_core::metrics::JOBS_UNTOLD.with_label_values(&[Probe::QUEUE]);
    let before = untold.get();
    let runner = bench.runner().job(|_, job: Probe| async move {
        if job.n == 2 { Ok(()) } else { fails(Error::refused("non", "non", "no")) }
    });
    bench.drain(runner).await;
    let rows = sqlx::query!(
        r#"
            select status, convert_from(job, 'utf8')::jsonb ->> 'n' as "n!", last_result ->> 'Err' as error
            from apalis.jobs order by convert_from(job, 'utf8')::jsonb ->> 'n'
        "#
    )
    .fetch_all(&bench.db.pool)
    .await
    .unwrap();
    let states: Vec<_> = rows.iter().map(|r| (r.n.as_str(), r.status.as_str())).collect();
    assert_eq!(states, [("1", "Killed"), ("2", "Done"), ("404", "Killed")]);
    assert!(rows[2].error.as_deref().unwrap().contains("nobody can be told"), "{rows:?}");
    assert_eq!(bench.told().await.len(), 1, "the other was told");
    assert_eq!(untold.get() - before, 1);
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
    bench.orphan().await;
    bench.rescue().await;
    bench.drain(bench.runner().job(|_, _: Probe| async { Ok(()) })).await;
    let row =
        sqlx::query!("select status, attempts, metadata -> 'rescues' as rescues from apalis.jobs")
            .fetch_one(&bench.db.pool)
            .await
            .unwrap();
    assert_eq!((row.status.as_str(), row.attempts, row.rescues.as_deref()), ("Done", 2, Some("1")));
    assert_eq!(bench.history().await, ["lost", "done"]);
}

#[tokio::test]
async fn who_was_not_heard_of_itself_holds_nobody_for_dead() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    bench.orphan().await;
    let rescue = |worker| life::rescue(&bench.ctx.pool, worker, SILENCE);
    // One that the database does not know, one that has just come, one that was frozen until now, and one that has beaten
    // again since, which is heard of anew from then on.
    assert_eq!(rescue("nobody").await.unwrap(), []);
    bench.heard("young", 30, 0).await;
    assert_eq!(rescue("young").await.unwrap(), []);
    bench.heard("frozen", 3600, 40).await;
    assert_eq!(rescue("frozen").await.unwrap(), []);
    life::heartbeat(&bench.ctx.pool, "frozen", "", SILENCE).await.unwrap();
    assert_eq!(rescue("frozen").await.unwrap(), []);
    // A pause within the half of the silence is none.
    bench.heard("steady", 3600, 20).await;
    life::heartbeat(&bench.ctx.pool, "steady", "", SILENCE).await.unwrap();
    assert_eq!(rescue("steady").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_kills_its_worker_three_times_is_dead() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    for _ in 0..3 {
        bench.orphan().await;
        bench.rescue().await;
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let r = runs.clone();
    let runner = bench.runner().job(move |_, _: Probe| {
        r.fetch_add(1, SeqCst);
        std::future::ready(Ok(()))
    });
    bench.drain(runner).await;
    assert_eq!((bench.job().await.0.as_str(), runs.load(SeqCst)), ("Killed", 0));
    assert_eq!(bench.told().await.len(), 1);
}

#[tokio::test]
async fn a_job_that_is_not_due_yet_after_all_waits_for_nothing() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let runner =
        bench.runner().job(|_, _: Probe| async { Ok(Verdict::Snooze(Duration::from_hours(1))) });
    bench.drain(runner).await;
    assert_eq!(bench.job().await, ("Pending".into(), 0, true));
    assert_eq!(bench.history().await, ["snooze"]);
}

#[tokio::test]
async fn what_was_taken_away_meanwhile_is_stopped_and_records_nothing() {
    let bench = Bench::with(&[("WORKER_RESCUE_SECONDS", "5"), ("SHUTDOWN_TIMEOUT", "1")]).await;
    bench.enqueue(1).await;
    let begun = Arc::new(tokio::sync::Notify::new());
    let b = begun.clone();
    let pool = bench.db.pool.clone();
    let runner = bench.runner().job(move |_, _: Slow| {
        b.notify_one();
        std::future::pending::<Result<()>>()
    });
    let cancelled = async {
        begun.notified().await;
        sqlx::query!("update apalis.jobs set status = 'Cancelled', lock_by = null, lock_at = null")
            .execute(&pool)
            .await
            .unwrap();
        // Its slot is free again when it is stopped, which the next job sees.
        bench.enqueue(1).await;
        tokio::time::timeout(Duration::from_secs(20), begun.notified()).await.unwrap();
        Ok(())
    };
    Box::pin(runner.run_until(cancelled)).await.unwrap();
    let states = sqlx::query_scalar!("select status from apalis.jobs order by id");
    assert_eq!(states.fetch_all(&pool).await.unwrap(), ["Cancelled", "Pending"]);
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let mut tx = bench.ctx.begin().await.unwrap();
    operate::pause(&mut tx, Probe::QUEUE, 1).await.unwrap();
    tx.commit().await.unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    let r = runs.clone();
    let runner = bench.runner().job(move |_, _: Probe| {
        r.fetch_add(1, SeqCst);
        std::future::ready(Ok(()))
    });
    let (ctx, seen) = (bench.ctx.clone(), runs.clone());
    let idle = bench.idle();
    let resumed = async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(seen.load(SeqCst), 0);
        let mut tx = ctx.begin().await.unwrap();
        operate::resume(&mut tx, Probe::QUEUE).await.unwrap();
        tx.commit().await.unwrap();
        idle.await
    };
    Box::pin(runner.run_until(resumed)).await.unwrap();
    assert_eq!(runs.load(SeqCst), 1);
}

#[tokio::test]
async fn urgent_jobs_overtake_those_that_can_wait() {
    let bench = Bench::new().await;
    bench.enqueue(20).await;
    sqlx::query!("update apalis.jobs set priority = 2 where convert_from(job, 'utf8')::jsonb @> '{\"n\": 17}'")
        .execute(&bench.db.pool)
        .await
        .unwrap();
    let runs: Arc<Mutex<Vec<usize>>> = Arc::default();
    let r = runs.clone();
    bench
        .drain(bench.runner().job(move |_, job: Probe| {
            r.lock().unwrap().push(job.n);
            std::future::ready(Ok(()))
        }))
        .await;
    assert_eq!(runs.lock().unwrap()[0], 17);
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
