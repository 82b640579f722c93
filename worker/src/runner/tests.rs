//! What happens to jobs that fail, panic, hang, or kill their worker, on a real queue.
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use erp_core::{Code, Config, config::Env, jobs::enqueue, operate};
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

    /// Writes what the business is told into `competences`; any table would do.
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

/// A job of the same queue with an hour of time, one at a time.
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
        Runner::new(&self.ctx, &self.settings(Duration::from_millis(20)), &Arc::default())
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
                        select count(*) as "count!" from queue.jobs where lock_by is not null or run_at <= now()
                    "#
                );
                if runnable.fetch_one(&pool).await.unwrap() == 0 {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// What the handlers and hooks have written into `competences`.
    async fn told(&self) -> Vec<String> {
        let told = sqlx::query_scalar!("select nom from competences order by nom");
        told.fetch_all(&self.db.pool).await.unwrap()
    }

    /// State, attempts, and whether the next one is in the future.
    async fn job(&self) -> (String, i32, bool) {
        let row =
            sqlx::query!(
            r#"select state as "state!", attempts as "attempts!", run_at > now() as "later!" from queue.everything"#
        )
                .fetch_one(&self.db.pool)
                .await
                .unwrap();
        (row.state, row.attempts, row.later)
    }

    async fn skip_backoff(&self) {
        sqlx::query!("update queue.jobs set run_at = now() - interval '1 second'")
            .execute(&self.db.pool)
            .await
            .unwrap();
    }

    /// Outcomes of the attempts of the one job, oldest first.
    async fn history(&self) -> Vec<String> {
        let id = sqlx::query_scalar!(r#"select id as "id!" from queue.everything"#);
        let id = id.fetch_one(&self.db.pool).await.unwrap();
        let job = operate::find(&self.db.pool, &id).await.unwrap();
        job.history.into_iter().map(|attempt| attempt.outcome).collect()
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
    assert_eq!(bench.job().await, ("retrying".into(), 1, true));
    bench.drain(runner()).await;
    assert_eq!(runs.load(SeqCst), 1, "a restart does not shorten the wait");
    bench.skip_backoff().await;
    bench.drain(runner()).await;
    assert_eq!((bench.job().await.0.as_str(), runs.load(SeqCst)), ("done", 2));
}

#[tokio::test]
async fn the_last_attempt_ends_in_death_and_the_business_is_told_why() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    for _ in 0..4 {
        bench.drain(bench.runner().job(|_, _: Probe| async { fails(fault()) })).await;
        bench.skip_backoff().await;
    }
    assert_eq!(bench.job().await, ("dead".into(), 3, false));
    assert_eq!(bench.history().await, ["retry", "retry", "dead"]);
    let told = bench.told().await;
    assert!(told.len() == 1 && told[0].contains("a fault of the job"), "{told:?}");
}

#[tokio::test]
async fn an_outage_costs_time_and_no_attempt_until_its_deadline() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let away = || bench.runner().job(|_, _: Probe| async { fails(outage()) });
    // More times than the job has attempts.
    for _ in 0..5 {
        bench.drain(away()).await;
        assert_eq!(bench.job().await, ("retrying".into(), 0, true));
        bench.skip_backoff().await;
    }
    // A fault of the job itself counts, from 1, and ends the outage.
    bench.drain(bench.runner().job(|_, _: Probe| async { fails(fault()) })).await;
    assert_eq!(bench.job().await, ("retrying".into(), 1, true));
    bench.skip_backoff().await;
    bench.drain(away()).await;
    sqlx::query!("update queue.jobs set outage_since = now() - interval '25 hours'")
        .execute(&bench.db.pool)
        .await
        .unwrap();
    bench.skip_backoff().await;
    bench.drain(away()).await;
    assert_eq!(bench.job().await.0, "dead");
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
        sqlx::query!("update queue.jobs set lock_by = 'another', lock_at = clock_timestamp()")
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
    let row = sqlx::query!("select lock_by from queue.jobs").fetch_one(&pool).await.unwrap();
    assert_eq!(row.lock_by.as_deref(), Some("another"));
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
                // As if another worker had taken it over from a silent process, and finished it.
                let id = &work.lease.as_ref().unwrap().job_id;
                sqlx::query!("delete from queue.jobs where id = $1", id,).execute(&pool).await?;
                match job.n {
                    0 => Ok(()),
                    1 => work.begin().await.map(drop),
                    2 => Err(fault()),
                    _ => Err(Error::refused(Code::SmtpRefuse, "pour de bon", "for good")),
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
async fn what_can_never_succeed_is_not_tried_again() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    bench
        .drain(
            bench
                .runner()
                .job(|_, _: Probe| async { fails(Error::refused(Code::SmtpRefuse, "non", "no")) }),
        )
        .await;
    assert_eq!(bench.job().await, ("dead".into(), 1, false));
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
        if job.n == 2 { Ok(()) } else { fails(Error::refused(Code::SmtpRefuse, "non", "no")) }
    });
    bench.drain(runner).await;
    let rows = sqlx::query!(
        r#"
            select state as "state!", convert_from(payload, 'utf8')::jsonb ->> 'n' as "n!", error
            from queue.everything order by convert_from(payload, 'utf8')::jsonb ->> 'n'
        "#
    )
    .fetch_all(&bench.db.pool)
    .await
    .unwrap();
    let states: Vec<_> = rows.iter().map(|r| (r.n.as_str(), r.state.as_str())).collect();
    assert_eq!(states, [("1", "dead"), ("2", "done"), ("404", "dead")]);
    assert!(rows[2].error.as_deref().unwrap().contains("nobody can be told"), "{rows:?}");
    assert_eq!(bench.told().await.len(), 1, "the other was told");
    assert_eq!(untold.get() - before, 1);
}

#[tokio::test]
async fn a_payload_that_no_code_knows_is_kept_and_backed_off_and_then_dead() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    sqlx::query!("update queue.jobs set payload = $1", br#"{"of":"next year"}"#.as_slice())
        .execute(&bench.db.pool)
        .await
        .unwrap();
    for expected in [("retrying", 1), ("retrying", 2), ("dead", 3)] {
        bench.drain(bench.runner().job(|_, _: Probe| async { Ok(()) })).await;
        let (status, attempts, _) = bench.job().await;
        assert_eq!((status.as_str(), attempts), expected);
        bench.skip_backoff().await;
    }
}

#[tokio::test]
async fn a_job_that_is_not_due_yet_after_all_waits_for_nothing() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let runner =
        bench.runner().job(|_, _: Probe| async { Ok(Verdict::Snooze(Duration::from_hours(1))) });
    bench.drain(runner).await;
    assert_eq!(bench.job().await, ("scheduled".into(), 0, true));
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
        sqlx::query!("delete from queue.jobs").execute(&pool).await.unwrap();
        // The slot is free again when the first job has been stopped: only then does the next job begin.
        bench.enqueue(1).await;
        tokio::time::timeout(Duration::from_secs(20), begun.notified()).await.unwrap();
        Ok(())
    };
    Box::pin(runner.run_until(cancelled)).await.unwrap();
    let left = sqlx::query_scalar!("select attempts from queue.jobs");
    assert_eq!(left.fetch_all(&pool).await.unwrap(), [0], "the second is handed back");
}

#[tokio::test]
async fn a_job_that_arrives_wakes_an_idle_worker() {
    let bench = Bench::new().await;
    // Polling alone would find it in an hour.
    let settings = bench.settings(Duration::from_hours(1));
    let done = Arc::new(tokio::sync::Notify::new());
    let ran = done.clone();
    let runner = Runner::new(&bench.ctx, &settings, &Arc::default()).job(move |_, _: Probe| {
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
    let rows =
        sqlx::query!(r#"select state as "state!", attempts as "attempts!" from queue.everything"#)
            .fetch_all(&bench.db.pool)
            .await
            .unwrap();
    let done = rows.iter().filter(|r| (r.state.as_str(), r.attempts) == ("done", 1)).count();
    let back = rows.iter().filter(|r| (r.state.as_str(), r.attempts) == ("ready", 0)).count();
    assert!(done >= 1 && done + back == 10, "{rows:?}");
}
