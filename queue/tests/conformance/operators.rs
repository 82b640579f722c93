//! What operators do to jobs and queues.
use std::{sync::Arc, time::Duration};

use apalis::prelude::AbortError;
use apalis_hot::{
    NewJob, Options, Outage,
    admin::{self, Filter, State},
};
use chrono::TimeDelta;
use tokio::sync::Semaphore;

use crate::support::{Bench, QUEUE, Seen, handler, run, until};

#[tokio::test]
async fn a_paused_queue_is_left_alone_until_it_is_resumed() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    admin::pause(&mut db, QUEUE, "boss").await.unwrap();
    let id = bench.one().await;
    let seen = Seen::default();
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(probe.n);
            std::future::ready(Ok(()))
        })
    };
    let stop = async {
        let mut db = bench.pool.acquire().await.unwrap();
        until("the worker is known", async || {
            !admin::workers(&bench.pool).await.unwrap().is_empty()
        })
        .await;
        until("it has polled for a second", async || {
            let workers = admin::workers(&bench.pool).await.unwrap();
            workers[0].last_seen - workers[0].started_at > TimeDelta::seconds(1)
        })
        .await;
        assert_eq!(seen.len(), 0);
        let queue = &admin::queues(&bench.pool, &[], 100).await.unwrap()[0];
        assert_eq!((queue.ready, queue.paused_by.as_deref()), (1, Some("boss")));
        admin::resume(&mut db, QUEUE).await.unwrap();
        until("it has run", async || bench.job(&id).await.state == State::Done).await;
        Ok(())
    };
    run(&bench.process(), Options::new(QUEUE), work, stop).await;
}

#[tokio::test]
async fn the_concurrency_of_a_queue_changes_while_it_runs() {
    let bench = Bench::new().await;
    bench.enqueue(12).await;
    let gate = Arc::new(Semaphore::new(0));
    let running = Seen::default();
    let work = {
        let (gate, running) = (gate.clone(), running.clone());
        handler(move |probe, _| {
            let (gate, running) = (gate.clone(), running.clone());
            async move {
                running.push(probe.n);
                gate.acquire().await?.forget();
                Ok(())
            }
        })
    };
    let stop = async {
        let mut db = bench.pool.acquire().await.unwrap();
        until("one runs", async || running.len() == 1).await;
        admin::set_concurrency(&mut db, QUEUE, Some(5)).await.unwrap();
        until("five run", async || running.len() == 5).await;
        admin::set_concurrency(&mut db, QUEUE, Some(2)).await.unwrap();
        until("all follow", async || {
            admin::queues(&bench.pool, &[], 100).await.unwrap()[0].concurrency == Some(2)
        })
        .await;
        gate.add_permits(100);
        bench.idle().await
    };
    run(&bench.process(), Options { concurrency: 1, ..Options::new(QUEUE) }, work, stop).await;
    assert_eq!(running.len(), 12);
}

#[tokio::test]
async fn the_dead_and_the_cancelled_can_be_redriven_and_the_others_stay() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(3).await;
    let mut db = bench.pool.acquire().await.unwrap();
    assert!(admin::cancel(&mut db, &ids[2], "no").await.unwrap());
    assert!(!admin::cancel(&mut db, &ids[2], "no").await.unwrap(), "it has ended");
    let work = handler(async |probe: crate::support::Probe, _| match probe.n {
        0 => Err(AbortError::new("broken").into()),
        _ => Ok(()),
    });
    bench.drain(Options::new(QUEUE), work).await;
    assert!(admin::redrive(&mut db, &ids[0]).await.unwrap());
    assert!(!admin::redrive(&mut db, &ids[1]).await.unwrap(), "it is done");
    assert!(admin::redrive(&mut db, &ids[2]).await.unwrap());
    let job = admin::find_for_update(&mut db, &ids[0]).await.unwrap();
    assert_eq!((job.state, job.attempts, job.error), (State::Ready, 0, None));
    bench.drain(Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert_eq!(bench.outcomes(&ids[0]).await, ["dead", "redriven", "done"]);
    assert_eq!(bench.outcomes(&ids[2]).await, ["cancelled", "redriven", "done"]);
}

#[tokio::test]
async fn lists_are_by_state_and_queue_and_the_latest_first() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(3).await;
    let mut db = bench.pool.acquire().await.unwrap();
    admin::cancel(&mut db, &ids[1], "no").await.unwrap();
    let of = async |state| {
        let filter = Filter { state, queue: Some(QUEUE.into()), ..Filter::default() };
        let jobs = admin::list(&bench.pool, &filter, 10, 0).await.unwrap();
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(of(None).await, [&*ids[2], &*ids[1], &*ids[0]]);
    assert_eq!(of(Some(State::Ready)).await, [&*ids[2], &*ids[0]]);
    assert_eq!(of(Some(State::Cancelled)).await, [&*ids[1]]);
    assert!(of(Some(State::Running)).await.is_empty());
    let queues = admin::queues(&bench.pool, &["known".into()], 100).await.unwrap();
    let names: Vec<_> = queues.iter().map(|queue| (&*queue.name, queue.ready)).collect();
    assert_eq!(names, [("known", 0), (QUEUE, 2)]);
}

fn away() -> Outage {
    Outage { dependency: None, longest_pause: Duration::from_mins(1), source: "away".into() }
}

#[tokio::test]
async fn a_ready_job_that_has_met_an_outage_is_redriven_once() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Err(away().into()))).await;
    bench.hurry().await;
    assert_eq!((bench.job(&id).await.state, bench.job(&id).await.attempts), (State::Ready, 0));
    let mut db = bench.pool.acquire().await.unwrap();
    assert!(admin::redrive(&mut db, &id).await.unwrap());
    assert_eq!(bench.job(&id).await.error, None);
    assert!(!admin::redrive(&mut db, &id).await.unwrap(), "whoever asks again is done");
}

#[tokio::test]
async fn a_redriven_job_has_its_key_again_unless_another_job_has_it() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    let job = |key: &str| NewJob {
        key: Some(key.to_owned()),
        ..NewJob::new(QUEUE, &crate::support::Probe { n: 1 }).unwrap()
    };
    let mut dead = Vec::new();
    for key in ["free", "taken"] {
        dead.push(apalis_hot::enqueue(&mut db, &job(key)).await.unwrap().unwrap());
    }
    let fails = handler(async |_, _| Err(AbortError::new("no").into()));
    bench.drain(Options::new(QUEUE), fails).await;
    sqlx::query("delete from queue.keys").execute(&bench.pool).await.unwrap();
    let other = apalis_hot::enqueue(&mut db, &job("taken")).await.unwrap().unwrap();
    for id in &dead {
        assert!(admin::redrive(&mut db, id).await.unwrap());
    }
    assert_eq!(bench.job(&dead[0]).await.key.as_deref(), Some("free"));
    assert_eq!(apalis_hot::enqueue(&mut db, &job("free")).await.unwrap(), None);
    assert_eq!(bench.job(&dead[1]).await.key, None);
    assert_eq!(bench.job(&other).await.key.as_deref(), Some("taken"));
}
