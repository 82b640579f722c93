//! What River documents (`riverqueue/river`, 0.43.0 and what is unreleased after it).
use std::{sync::Arc, time::Duration};

use apalis::prelude::RetryAfterError;
use apalis_hot::{
    Lease, NewJob, Options, Process, Settings,
    admin::{self, State},
};
use tokio::sync::Notify;

use super::{Gate, all_are};
use crate::support::{Bench, Probe, QUEUE, Seen, handler, run, until};

/// `docs/README.md`: jobs "aren't visible for work _until_ commit", and are "guaranteed to be enqueued if their transaction commits",
/// also when others that were due later have run meanwhile.
#[tokio::test]
async fn a_job_is_worked_after_its_transaction_commits_and_not_before() {
    let bench = Bench::new().await;
    let job = NewJob::new(QUEUE, &Probe { n: 0 }).unwrap();
    let scenario = async {
        let mut tx = bench.pool.begin().await.unwrap();
        let late = apalis_hot::enqueue(&mut tx, &job).await.unwrap().unwrap();
        for _ in 0..3 {
            let others = bench.enqueue(10).await;
            until("the others are done", async || all_are(&bench, &others, State::Done).await)
                .await;
        }
        assert!(admin::find(&bench.pool, &late).await.is_err());
        tx.commit().await.unwrap();
        until("it is done too", async || bench.job(&late).await.state == State::Done).await;
        assert_eq!(bench.job(&late).await.attempts, 1);
        Ok(())
    };
    run(&bench.process(), Options::new(QUEUE), handler(async |_, _| Ok(())), scenario).await;
}

/// `client.go`, `InsertManyTx`: "lets a caller insert jobs atomically alongside other database changes. An inserted job isn't visible
/// to be worked until the transaction commits, and if the transaction rolls back, so too is the inserted job."
#[tokio::test]
async fn many_jobs_are_inserted_in_one_statement_all_or_none() {
    let bench = Bench::new().await;
    let payloads: Vec<_> = (0..1000).map(|n| serde_json::to_vec(&Probe { n }).unwrap()).collect();
    let mut tx = bench.pool.begin().await.unwrap();
    let lost = apalis_hot::enqueue_all(&mut tx, QUEUE, 3, &payloads).await.unwrap();
    tx.rollback().await.unwrap();
    assert!(admin::find_all(&bench.pool, &lost).await.unwrap().is_empty());

    let mut tx = bench.pool.begin().await.unwrap();
    let ids = apalis_hot::enqueue_all(&mut tx, QUEUE, 3, &payloads).await.unwrap();
    tx.commit().await.unwrap();
    assert!(ids.is_sorted() && ids.len() == 1000);
    assert_eq!(bench.job(&ids[999]).await.payload, payloads[999]);
    let seen = Seen::default();
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(probe.n);
            std::future::ready(Ok(()))
        })
    };
    bench.drain(Options { concurrency: 50, ..Options::new(QUEUE) }, work).await;
    let mut seen = seen.all();
    seen.sort_unstable();
    assert_eq!(seen, (0..1000).collect::<Vec<_>>());
}

/// `retry_policy.go`: "Snoozes do not count as attempts and do not influence retry behavior." (Oban: "a snooze never consumes an
/// attempt and backoff calculation stays accurate no matter how many times a job snoozes", `lib/oban/worker.ex`.)
#[tokio::test]
async fn snoozes_change_neither_the_number_of_attempts_nor_their_pauses() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let options = Options { max_attempts: 3, ..Options::new(QUEUE) };
    let snooze = || {
        handler(async |_, _| Err(RetryAfterError::new("not yet", Duration::from_hours(1)).into()))
    };
    for (failures, seconds) in [(1, 2), (2, 4), (3, 0)] {
        for _ in 0..4 {
            bench.drain(options.clone(), snooze()).await;
            let job = bench.job(&id).await;
            assert_eq!((job.state, job.attempts), (State::Scheduled, failures - 1));
            assert_eq!(job.max_attempts, 25);
            bench.hurry().await;
        }
        bench.drain(options.clone(), handler(async |_, _| Err("broken".into()))).await;
        let job = bench.job(&id).await;
        assert_eq!(job.attempts, failures);
        if failures == 3 {
            assert_eq!(job.state, State::Dead);
        } else {
            let pause = (job.run_at - job.history().last().unwrap().ended_at).num_milliseconds();
            assert!((seconds * 490..=seconds * 1010).contains(&pause), "{pause} of {seconds} s");
        }
        bench.hurry().await;
    }
}

/// `error.go`, `JobSnooze`: "A special duration of zero can be used to make the job immediately available to be reworked."
#[tokio::test]
async fn a_snooze_of_no_time_is_ready_again_at_once() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let seen = Seen::default();
    let work = {
        let seen = seen.clone();
        handler(move |probe, lease: Lease| {
            seen.push(probe.n);
            assert_eq!(lease.attempt, 1);
            let again = || RetryAfterError::new("again", Duration::ZERO).into();
            std::future::ready(if seen.len() < 5 { Err(again()) } else { Ok(()) })
        })
    };
    bench.drain(Options::new(QUEUE), work).await;
    assert_eq!(seen.len(), 5);
    assert_eq!((bench.job(&id).await.state, bench.job(&id).await.attempts), (State::Done, 1));
}

/// `client.go`, `JobCancel`: a job that is "available, scheduled, or retryable" "is immediately marked as cancelled and will not be
/// retried. If the job is already finalized (cancelled, completed, or discarded), no changes are made."
#[tokio::test]
async fn what_waits_is_cancelled_at_once_and_what_has_ended_stays() {
    let bench = Bench::new().await;
    let retrying = bench.one().await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Err("broken".into()))).await;
    let mut db = bench.pool.acquire().await.unwrap();
    let delay = Duration::from_hours(1);
    let later = NewJob { delay, ..NewJob::new(QUEUE, &Probe { n: 1 }).unwrap() };
    let scheduled = apalis_hot::enqueue(&mut db, &later).await.unwrap().unwrap();
    let waiting = [retrying, scheduled, bench.one().await];
    for id in &waiting {
        assert!(admin::cancel(&mut db, id, "called off").await.unwrap());
    }
    assert!(all_are(&bench, &waiting, State::Cancelled).await);
    let done = bench.one().await;
    bench.hurry().await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert!(all_are(&bench, &waiting, State::Cancelled).await, "none ran");
    assert!(!admin::cancel(&mut db, &done, "too late").await.unwrap());
    assert_eq!((bench.job(&done).await.state, bench.job(&done).await.error), (State::Done, None));
}

/// `client.go`, `JobCancelTx`: "A cancelled job doesn't take effect until the transaction commits, and if the transaction rolls back,
/// so too is the cancelled job."
#[tokio::test]
async fn a_cancellation_that_is_rolled_back_stops_nothing() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let gate = Gate::new();
    let scenario = async {
        until("it runs", async || gate.running() == 1).await;
        let mut tx = bench.pool.begin().await.unwrap();
        assert!(admin::cancel(&mut tx, &id, "called off").await.unwrap());
        assert_eq!(bench.job(&id).await.state, State::Running, "as all others see it");
        tx.rollback().await.unwrap();
        gate.let_through(1);
        until("it is done", async || bench.job(&id).await.state == State::Done).await;
        Ok(())
    };
    run(&bench.process(), Options::new(QUEUE), gate.handler(), scenario).await;
    assert_eq!(bench.outcomes(&id).await, ["done"]);
}

/// `client.go`, `JobRetry`: "Jobs in the running state are not touched"; `JobDelete`: "Jobs in the running state are not deleted".
#[tokio::test]
async fn a_running_job_is_neither_redriven_nor_deleted() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let gate = Gate::new();
    let scenario = async {
        until("it runs", async || gate.running() == 1).await;
        let mut db = bench.pool.acquire().await.unwrap();
        assert!(!admin::redrive(&mut db, &id).await.unwrap());
        assert!(!admin::delete(&mut db, &id).await.unwrap());
        let job = bench.job(&id).await;
        assert_eq!((job.state, job.attempts), (State::Running, 1));
        gate.let_through(1);
        bench.idle().await
    };
    run(&bench.process(), Options::new(QUEUE), gate.handler(), scenario).await;
    assert_eq!(bench.outcomes(&id).await, ["done"]);
}

/// `client.go`, `JobRetry`: "To prevent jobs already waiting in the queue from being set back in line, the job's `scheduled_at` field
/// is set to the current time only if it's not already in the past."
#[tokio::test]
async fn a_redriven_job_keeps_its_place_among_those_that_are_due() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(2).await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Err("broken".into()))).await;
    let past = "update queue.jobs set run_at = created_at - interval '1 hour' where id = $1";
    sqlx::query(past).bind(&ids[0]).execute(&bench.pool).await.unwrap();
    let before = [bench.job(&ids[0]).await.run_at, bench.job(&ids[1]).await.run_at];
    let mut db = bench.pool.acquire().await.unwrap();
    for id in &ids {
        assert!(admin::redrive(&mut db, id).await.unwrap());
    }
    assert_eq!(bench.job(&ids[0]).await.run_at, before[0], "it was due");
    assert!(bench.job(&ids[1]).await.run_at < before[1], "it was not");
    assert!(all_are(&bench, &ids, State::Ready).await);
}

/// `CHANGELOG.md`, 0.37.0, resumable jobs: "particularly useful for long running jobs that may experience a cancellation (like in the
/// event of a deploy) during the span of their run"; `resumable.go`: a step is persisted "as part of a transaction".
#[tokio::test]
async fn what_a_job_had_done_before_its_process_stopped_is_not_done_again() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let begun = Arc::new(Notify::new());
    let seen = Seen::default();
    let work = || {
        let (begun, seen) = (begun.clone(), seen.clone());
        handler(move |_, lease: Lease| {
            let (begun, seen) = (begun.clone(), seen.clone());
            async move {
                if let Some(done) = lease.checkpoint::<usize>() {
                    seen.push(done);
                    return Ok(());
                }
                let mut tx = lease.begin().await?;
                lease.save_checkpoint(&mut tx, &2).await?;
                tx.commit().await?;
                let mut tx = lease.begin().await?;
                lease.save_checkpoint(&mut tx, &3).await?;
                tx.rollback().await?;
                begun.notify_one();
                std::future::pending().await
            }
        })
    };
    let settings = Settings { shutdown: Duration::from_secs(1), ..Bench::settings() };
    let stop = async {
        begun.notified().await;
        Ok(())
    };
    run(&Process::new(&bench.pool, settings), Options::new(QUEUE), work(), stop).await;
    assert_eq!((bench.job(&id).await.state, bench.job(&id).await.attempts), (State::Ready, 0));
    bench.drain(Options::new(QUEUE), work()).await;
    assert_eq!(seen.all(), [2], "the third step was never done");
    assert_eq!(bench.job(&id).await.state, State::Done);
}

/// `CHANGELOG.md`, 0.41.0: "If a job fails to unmarshal from JSON during job rescue or job execution, back off using the retry
/// schedule and eventually discard it, similar to any other error that might occur."
#[tokio::test]
async fn a_payload_that_nobody_can_read_is_tried_after_pauses_and_dead_in_the_end() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    let unreadable = NewJob::new(QUEUE, &"no probe").unwrap();
    let id = apalis_hot::enqueue(&mut db, &unreadable).await.unwrap().unwrap();
    let options = Options { max_attempts: 3, ..Options::new(QUEUE) };
    for expected in [State::Retrying, State::Retrying, State::Dead] {
        bench.drain(options.clone(), handler(async |_, _| Ok(()))).await;
        assert_eq!(bench.job(&id).await.state, expected);
        bench.hurry().await;
    }
    assert_eq!(bench.outcomes(&id).await, ["retry", "retry", "dead"]);
}
