//! Batches of jobs.
use apalis::prelude::AbortError;
use apalis_hot::{
    Error, NewJob, Options, admin,
    batch::{self, Summary},
};

use crate::support::{Bench, Probe, QUEUE, handler};

const THEN: &str = "then";

fn then() -> NewJob {
    NewJob::new(THEN, &Probe { n: 99 }).unwrap()
}

async fn following(bench: &Bench) -> Vec<admin::Job> {
    let filter = admin::Filter { queue: Some(THEN.into()), ..admin::Filter::default() };
    admin::list(&bench.pool, &filter, 10, 0).await.unwrap()
}

/// Opens a batch of `count` jobs; returns its id, and theirs.
async fn batch_of(bench: &Bench, count: usize) -> (String, Vec<String>) {
    let mut tx = bench.pool.begin().await.unwrap();
    let id = batch::open(&mut tx, &then()).await.unwrap();
    let mut jobs = Vec::new();
    for n in 0..count {
        let job = NewJob::new(QUEUE, &Probe { n }).unwrap();
        jobs.push(batch::add(&mut tx, &id, &job).await.unwrap().unwrap());
    }
    tx.commit().await.unwrap();
    (id, jobs)
}

async fn close(bench: &Bench, id: &str) {
    let mut tx = bench.pool.begin().await.unwrap();
    batch::close(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_follows_comes_once_when_all_have_ended_whichever_way() {
    let bench = Bench::new().await;
    let (id, jobs) = batch_of(&bench, 40).await;
    close(&bench, &id).await;
    let mut db = bench.pool.acquire().await.unwrap();
    admin::cancel(&mut db, &jobs[7], "not this one").await.unwrap();
    assert!(following(&bench).await.is_empty());
    let work = || {
        handler(async |probe: Probe, _| match probe.n {
            3 => Err(AbortError::new("a broken photo").into()),
            _ => Ok(()),
        })
    };
    // Two processes run the jobs.
    let options = Options { concurrency: 3, ..Options::new(QUEUE) };
    tokio::join!(
        bench.drain_of(QUEUE, options.clone(), work()),
        bench.drain_of(QUEUE, options, work())
    );
    let following = following(&bench).await;
    assert_eq!(following.len(), 1);
    assert_eq!(following[0].metadata.as_ref().unwrap()[batch::METADATA], id.as_str());
    let found = batch::summary(&bench.pool, &id).await.unwrap();
    let Summary { jobs, done, dead, cancelled, .. } = found;
    assert_eq!((jobs, done, dead, cancelled), (40, 38, 1, 1));
}

#[tokio::test]
async fn nothing_follows_before_the_batch_is_closed() {
    let bench = Bench::new().await;
    let (id, _) = batch_of(&bench, 2).await;
    bench.drain_of(QUEUE, Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert!(following(&bench).await.is_empty());
    close(&bench, &id).await;
    close(&bench, &id).await;
    assert_eq!(following(&bench).await.len(), 1, "once, however often it is closed");
    let mut db = bench.pool.acquire().await.unwrap();
    let late = batch::add(&mut db, &id, &NewJob::new(QUEUE, &Probe { n: 9 }).unwrap()).await;
    assert!(matches!(late, Err(Error::Closed)));
}

#[tokio::test]
async fn an_empty_batch_is_complete_when_it_is_closed() {
    let bench = Bench::new().await;
    let (id, _) = batch_of(&bench, 0).await;
    close(&bench, &id).await;
    assert_eq!(following(&bench).await.len(), 1);
    assert!(matches!(batch::summary(&bench.pool, "no batch").await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_job_that_is_redriven_counts_once() {
    let bench = Bench::new().await;
    let (id, jobs) = batch_of(&bench, 2).await;
    let fails = handler(async |_, _| Err(AbortError::new("no").into()));
    bench.drain_of(QUEUE, Options::new(QUEUE), fails).await;
    let mut tx = bench.pool.begin().await.unwrap();
    assert!(admin::redrive(&mut tx, &jobs[0]).await.unwrap());
    tx.commit().await.unwrap();
    close(&bench, &id).await;
    assert!(following(&bench).await.is_empty(), "one has not ended yet");
    bench.drain_of(QUEUE, Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert_eq!(following(&bench).await.len(), 1);
    // A job that is redriven after its batch has ended no longer counts in it.
    let mut tx = bench.pool.begin().await.unwrap();
    assert!(admin::redrive(&mut tx, &jobs[1]).await.unwrap());
    tx.commit().await.unwrap();
    bench.drain_of(QUEUE, Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert_eq!(following(&bench).await.len(), 1);
    let Summary { done, dead, .. } = batch::summary(&bench.pool, &id).await.unwrap();
    assert_eq!((done, dead), (1, 1), "as it was when it ended");
}
