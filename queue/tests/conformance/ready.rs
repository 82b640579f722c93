//! Jobs that are held ready: claimed before there is a place for them.
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use apalis_hot::{Claimed, Observer, Options, Process, Settings, admin};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tokio::sync::Semaphore;

use crate::support::{Bench, Handler, QUEUE, Seen, handler, monitor, run, run_monitor, until};

/// Enough for a process to know that these jobs are short, and to hold many ready.
const SHORT: usize = 1000;
const LONG: usize = 40;

fn options() -> Options {
    Options { concurrency: 2, ..Options::new(QUEUE) }
}

/// Jobs from number `long` on note that they have begun, and wait at the gate; the others end at once.
fn gated(long: usize, gate: &Arc<Semaphore>, began: &Seen) -> Handler {
    let (gate, began) = (gate.clone(), began.clone());
    handler(move |probe, _| {
        let (gate, began) = (gate.clone(), began.clone());
        async move {
            if probe.n >= long {
                began.push(probe.n);
                gate.acquire().await?.forget();
            }
            Ok(())
        }
    })
}

/// How many of these jobs are held by a process.
async fn held_of(bench: &Bench, ids: &[String]) -> i64 {
    let held = "select count(*) from queue.jobs where lock_by is not null and id = any($1)";
    sqlx::query_scalar(held).bind(ids).fetch_one(&bench.pool).await.unwrap()
}

#[tokio::test]
async fn what_is_held_ready_goes_to_others_when_its_queue_grows_slow() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(SHORT + LONG).await;
    let (gate, began, elsewhere) = (Arc::new(Semaphore::new(0)), Seen::default(), Seen::default());
    let first = gated(SHORT, &gate, &began);
    let second = {
        let elsewhere = elsewhere.clone();
        handler(move |probe, _| {
            elsewhere.push(probe.n);
            std::future::ready(Ok(()))
        })
    };
    let cancelled = SHORT + LONG / 2;
    let stop = async {
        until("both places are taken for long", async || began.len() == 2).await;
        until("some are held ready", async || held_of(&bench, &ids[SHORT..]).await > 2).await;
        let mut db = bench.pool.acquire().await.unwrap();
        admin::cancel(&mut db, &ids[cancelled], "no longer wanted").await.unwrap();
        let all_but_those_and_one = async {
            until("another process has done the rest", async || elsewhere.len() == LONG - 3).await;
            Ok(())
        };
        let other = bench.process();
        run_monitor(&other, monitor(&other, options(), second), all_but_those_and_one).await;
        gate.add_permits(LONG);
        bench.idle().await
    };
    run(&bench.process(), options(), first, stop).await;
    let mut all: Vec<_> = began.all();
    all.extend(elsewhere.all());
    let once: BTreeSet<_> = all.iter().copied().collect();
    assert_eq!((all.len(), once.len()), (LONG - 1, LONG - 1), "each began once");
    assert!(!once.contains(&cancelled), "it was cancelled before it began");
    for id in &ids[SHORT..] {
        let attempts = bench.job(id).await.attempts;
        assert!(attempts <= 1, "waiting is no attempt: {attempts}");
    }
}

#[tokio::test]
async fn a_job_that_others_died_of_is_never_held_ready() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(SHORT + LONG).await;
    let rescued = "update queue.jobs set rescues = 1 where id = any($1)";
    sqlx::query(rescued).bind(&ids[SHORT..]).execute(&bench.pool).await.unwrap();
    let (gate, began) = (Arc::new(Semaphore::new(0)), Seen::default());
    let work = gated(SHORT, &gate, &began);
    let stop = async {
        until("both places are taken", async || began.len() == 2).await;
        let held = held_of(&bench, &ids[SHORT..]).await;
        assert_eq!(held, 2, "what would die with them waits in the database");
        gate.add_permits(LONG);
        bench.idle().await
    };
    run(&bench.process(), options(), work, stop).await;
    assert_eq!(began.len(), LONG);
}

#[tokio::test]
async fn a_job_that_is_due_earlier_is_not_passed_over_after_a_long_one() {
    let bench = Bench::new().await;
    bench.enqueue(30).await;
    let (gate, began) = (Arc::new(Semaphore::new(0)), Seen::default());
    let work = gated(0, &gate, &began);
    let stop = async {
        gate.add_permits(1);
        until("one was done, another runs", async || began.len() == 2).await;
        let earlier = "update queue.jobs set run_at = run_at - interval '1 hour' where convert_from(payload, 'UTF8')::jsonb -> 'n' = '29'";
        sqlx::query(earlier).execute(&bench.pool).await.unwrap();
        while !began.all().contains(&29) {
            let since = Instant::now();
            until("one runs for long", async || since.elapsed() > Duration::from_millis(1200))
                .await;
            let before = began.len();
            gate.add_permits(1);
            until("the next runs", async || began.len() > before).await;
        }
        gate.add_permits(100);
        bench.idle().await
    };
    run(&bench.process(), Options { concurrency: 1, ..Options::new(QUEUE) }, work, stop).await;
    // Not more exactly: a look at all jobs is put off when those before took long.
    let place = began.all().iter().position(|n| *n == 29).unwrap();
    assert!(place < 29, "all others began before it");
}

#[tokio::test]
async fn a_job_that_is_due_earlier_is_not_passed_over_while_others_are_held_ready() {
    const EARLIER: usize = 999;
    let bench = Bench::new().await;
    bench.enqueue(EARLIER + 1).await;
    let began = Seen::default();
    let work = {
        let began = began.clone();
        handler(move |probe, _| {
            began.push(probe.n);
            async {
                tokio::time::sleep(Duration::from_millis(10)).await;
                Ok(())
            }
        })
    };
    let stop = async {
        until("so many are known to be short", async || began.len() > 150).await;
        let earlier = "update queue.jobs set run_at = run_at - interval '1 hour' where convert_from(payload, 'UTF8')::jsonb -> 'n' = '999'";
        sqlx::query(earlier).execute(&bench.pool).await.unwrap();
        let mut fed = EARLIER + 1;
        until("it begins, while others wait", async || {
            if began.len() + EARLIER / 2 > fed {
                fed += bench.enqueue(EARLIER).await.len();
            }
            began.all().contains(&EARLIER)
        })
        .await;
        Ok(())
    };
    run(&bench.process(), Options { concurrency: 4, ..Options::new(QUEUE) }, work, stop).await;
}

/// Panics in the worker itself, outside of its attempts, when attempt number `at` begins.
struct Panics {
    at: usize,
    begun: AtomicUsize,
}

impl Observer for Panics {
    fn begun(&self, _: &Claimed) {
        assert_ne!(self.begun.fetch_add(1, SeqCst), self.at, "a fault of the observer");
    }
}

#[tokio::test]
async fn a_worker_that_comes_back_goes_on_with_what_waits() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(SHORT + LONG).await;
    let observer = Arc::new(Panics { at: SHORT / 2, begun: AtomicUsize::default() });
    let process =
        Process::new(&bench.pool, Settings { observer: observer.clone(), ..Bench::settings() });
    let work = handler(|_, _| std::future::ready(Ok(())));
    let monitor = monitor(&process, options(), work).should_restart(|_, _| true);
    run_monitor(&process, monitor, bench.idle()).await;
    for id in &ids {
        assert_eq!(bench.job(id).await.state, admin::State::Done);
    }
    assert!(observer.begun.load(SeqCst) > SHORT + LONG, "the one that was cut off began again");
}

/// A claim that fails puts off no look, unless that look was itself too slow: what became due during an outage is found soon.
#[tokio::test]
async fn a_job_that_became_due_while_the_database_did_not_answer_does_not_wait_for_long() {
    let bench = Bench::new().await;
    bench.enqueue(1).await;
    let began = Seen::default();
    let work = {
        let began = began.clone();
        handler(move |probe, _| {
            began.push(probe.n);
            async { Ok(()) }
        })
    };
    let stop = async {
        until("the worker is idle", async || began.len() == 1).await;
        bench.enqueue(2).await;
        until("it is still there", async || began.len() == 3).await;
        let later = "insert into queue.jobs (id, queue, payload, max_attempts, run_at)
            select id || '-later', queue, payload, max_attempts, now() + interval '1 hour' from queue.ended limit 1";
        sqlx::query(later).execute(&bench.pool).await.unwrap();
        // A database that takes no connections: what was connected is cut off, but for this test.
        let (server, options) = bench.url.split_once('?').unwrap_or((&bench.url, ""));
        let (server, name) = server.rsplit_once('/').unwrap();
        let admin = format!("{server}/postgres?{options}");
        let mut admin = PgConnection::connect(&admin).await.unwrap();
        let mut kept = bench.pool.acquire().await.unwrap();
        let allow =
            |allowed| AssertSqlSafe(format!("alter database {name} allow_connections {allowed}"));
        admin.execute(allow(false)).await.unwrap();
        let cut_off = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        sqlx::query(cut_off).execute(&mut *kept).await.unwrap();
        let due = "update queue.jobs set run_at = clock_timestamp()";
        sqlx::query(due).execute(&mut *kept).await.unwrap();
        // So long that a look of each width comes to its time limit.
        tokio::time::sleep(Duration::from_secs(15)).await;
        admin.execute(allow(true)).await.unwrap();
        drop(kept);
        // A look that was put off for good would come after a minute.
        let begins = until("it begins", async || began.len() == 4);
        tokio::time::timeout(Duration::from_secs(30), begins).await.unwrap();
        bench.idle().await
    };
    run(&bench.process(), Options::new(QUEUE), work, stop).await;
}
