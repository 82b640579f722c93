//! Workers that die, freeze, stop; and jobs that kill them.
use std::{sync::Arc, time::Duration};

use apalis_hot::{
    Lease, MAX_RESCUES, Options, Process, Settings,
    admin::{self, State},
};
use tokio::sync::Notify;

use crate::support::{Bench, QUEUE, Seen, handler, monitor, name, run, until};

const SILENCE: Duration = Duration::from_secs(2);

fn settings() -> Settings {
    Settings { silence: SILENCE, ..Bench::settings() }
}

/// A job that a process holds which has been silent for an hour.
async fn orphan(bench: &Bench) -> String {
    let id = bench.one().await;
    let dead = name();
    let claimed = "with dead as (
            insert into queue.workers (id, queues, last_seen, heard_since)
            values ($1, '{}', clock_timestamp() - interval '1 hour', clock_timestamp() - interval '2 hours'))
        update queue.jobs set attempts = attempts + 1, lock_by = $1, lock_at = clock_timestamp() - interval '1 hour'
        where id = $2";
    sqlx::query(claimed).bind(dead).bind(&id).execute(&bench.pool).await.unwrap();
    id
}

#[tokio::test]
async fn others_take_up_the_jobs_of_a_worker_that_vanished() {
    let bench = Bench::new().await;
    let id = orphan(&bench).await;
    let process = Process::new(&bench.pool, settings());
    run(&process, Options::new(QUEUE), handler(async |_, _| Ok(())), bench.idle()).await;
    let job = bench.job(&id).await;
    assert_eq!((job.state, job.attempts, job.rescues), (State::Done, 2, 1));
    assert_eq!(bench.outcomes(&id).await, ["lost", "done"]);
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_dead_and_is_not_run_again() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    sqlx::query("update queue.jobs set rescues = $1, attempts = $1")
        .bind(MAX_RESCUES)
        .execute(&bench.pool)
        .await
        .unwrap();
    let seen = Seen::default();
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(probe.n);
            std::future::ready(Ok(()))
        })
    };
    bench.drain(Options::new(QUEUE), work).await;
    assert_eq!(bench.job(&id).await.state, State::Dead);
    assert_eq!(seen.len(), 0);
}

#[tokio::test]
async fn who_has_just_come_back_holds_nobody_for_dead() {
    let bench = Bench::new().await;
    let id = orphan(&bench).await;
    let process = Process::new(&bench.pool, settings());
    let looks = async {
        // A process that has been heard of for less than a silence rescues nothing. One statement reads both values.
        let both =
            "select bool_and(heard_since > clock_timestamp() - interval '1500 milliseconds'), (
                select rescues from queue.everything where id = $1)
            from queue.workers where last_seen > clock_timestamp() - interval '10 seconds'";
        loop {
            let (young, rescues): (Option<bool>, i32) =
                sqlx::query_as(both).bind(&id).fetch_one(&bench.pool).await.unwrap();
            match young {
                Some(true) => assert_eq!(rescues, 0),
                Some(false) => return Ok(()),
                None => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    run(&process, Options::new(QUEUE), handler(async |_, _| Ok(())), looks).await;
}

#[tokio::test]
async fn an_attempt_that_has_lost_its_job_writes_nothing_and_is_stopped() {
    let bench = Bench::new().await;
    sqlx::raw_sql("create table written (n int)").execute(&bench.pool).await.unwrap();
    let id = bench.one().await;
    let (begun, lost) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let process = bench.process();
    let work = {
        let (begun, lost) = (begun.clone(), lost.clone());
        handler(move |_, lease: Lease| {
            let (begun, lost) = (begun.clone(), lost.clone());
            async move {
                if lease.attempt > 1 {
                    return Ok(());
                }
                begun.notify_one();
                lost.notified().await;
                let mut tx = lease.begin().await?;
                sqlx::query("insert into written values (1)").execute(&mut *tx).await?;
                Ok(tx.commit().await?)
            }
        })
    };
    let stop = async {
        begun.notified().await;
        // Another process has taken this one for dead, and taken over the job.
        let taken =
            "update queue.jobs set lock_by = 'another', lock_at = clock_timestamp() where id = $1";
        sqlx::query(taken).bind(&id).execute(&bench.pool).await.unwrap();
        lost.notify_one();
        until("the attempt has ended", async || {
            sqlx::query_scalar::<_, i64>(
                "select count(*) from queue.jobs where lock_by = 'another'",
            )
            .fetch_one(&bench.pool)
            .await
            .unwrap()
                == 1
        })
        .await;
        Ok(())
    };
    run(&process, Options::new(QUEUE), work, stop).await;
    let written = sqlx::query_scalar::<_, i64>("select count(*) from written");
    assert_eq!(written.fetch_one(&bench.pool).await.unwrap(), 0);
    assert_eq!(
        bench.job(&id).await.worker.as_deref(),
        Some("another"),
        "nothing is recorded of it"
    );
}

#[tokio::test]
async fn what_a_stale_attempt_did_outside_is_undone() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let begun = Arc::new(Notify::new());
    let undone = Seen::default();
    let options = Options {
        on_stale: Some({
            let undone = undone.clone();
            Arc::new(move |tx, _| {
                undone.push(1);
                Box::pin(async move { Ok(tx) })
            })
        }),
        ..Options::new(QUEUE)
    };
    let work = {
        let begun = begun.clone();
        handler(move |_, _| {
            begun.notify_one();
            // The handler does not notice that it is asked to stop.
            std::future::pending()
        })
    };
    let process = bench.process();
    let stop = async {
        begun.notified().await;
        sqlx::query("delete from queue.jobs where id = $1")
            .bind(&id)
            .execute(&bench.pool)
            .await
            .unwrap();
        until("it is dropped, and undone", async || undone.len() == 1).await;
        Ok(())
    };
    run(&process, options, work, stop).await;
}

#[tokio::test]
async fn what_does_not_end_in_time_is_handed_back_at_the_cost_of_no_attempt() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let begun = Arc::new(Notify::new());
    let settings = Settings { shutdown: Duration::from_secs(1), ..Bench::settings() };
    let process = Process::new(&bench.pool, settings);
    let work = {
        let begun = begun.clone();
        handler(move |_, _| {
            begun.notify_one();
            std::future::pending()
        })
    };
    let stop = {
        let begun = begun.clone();
        async move {
            begun.notified().await;
            Ok(())
        }
    };
    process.run(monitor(&process, Options::new(QUEUE), work), stop).await.unwrap();
    let job = bench.job(&id).await;
    assert_eq!((job.state, job.attempts, job.worker), (State::Ready, 0, None));
    assert!(admin::workers(&bench.pool).await.unwrap().is_empty(), "it has signed off");
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_handed_back() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let process = bench.process();
    // Makes a claim whose answer is lost: its job is held by a process that does not know of it.
    let blocked = "lock table queue.jobs in access exclusive mode";
    let mut lock = bench.pool.begin().await.unwrap();
    sqlx::raw_sql(blocked).execute(&mut *lock).await.unwrap();
    let ended = Arc::new(Notify::new());
    let work = {
        let ended = ended.clone();
        handler(move |_, _| {
            ended.notify_one();
            std::future::ready(Ok(()))
        })
    };
    let stop = async {
        until("a claim has been given up", async || {
            let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
                and query_start < clock_timestamp() - interval '4500 milliseconds' and query like '%for update skip locked%'";
            sqlx::query_scalar::<_, i64>(waiting).fetch_one(&bench.pool).await.unwrap() > 0
        })
        .await;
        lock.commit().await.unwrap();
        ended.notified().await;
        until("it is recorded", async || bench.job(&id).await.state == State::Done).await;
        Ok(())
    };
    run(&process, Options::new(QUEUE), work, stop).await;
}
