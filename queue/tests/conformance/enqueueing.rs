//! Enqueueing and announcing jobs.
use std::time::Duration;

use apalis_hot::{Announcer, NewJob, Options, Settings, admin};
use sqlx::postgres::PgListener;

use crate::support::{Bench, Probe, QUEUE, Seen, handler, run, until};

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_transaction_commits() {
    let bench = Bench::new().await;
    let job = NewJob::new(QUEUE, &Probe { n: 1 }).unwrap();
    let mut tx = bench.pool.begin().await.unwrap();
    let lost = apalis_hot::enqueue(&mut tx, &job).await.unwrap().unwrap();
    tx.rollback().await.unwrap();
    assert!(admin::find(&bench.pool, &lost).await.is_err());
}

#[tokio::test]
async fn jobs_of_one_key_are_one_job_and_a_taken_key_spoils_no_transaction() {
    let bench = Bench::new().await;
    let job =
        |n| NewJob { key: Some("pump 7".into()), ..NewJob::new(QUEUE, &Probe { n }).unwrap() };
    let mut tx = bench.pool.begin().await.unwrap();
    let first = apalis_hot::enqueue(&mut tx, &job(1)).await.unwrap().unwrap();
    assert_eq!(apalis_hot::enqueue(&mut tx, &job(2)).await.unwrap(), None);
    let other = NewJob { queue: "others".into(), ..job(3) };
    assert!(
        apalis_hot::enqueue(&mut tx, &other).await.unwrap().is_some(),
        "a key of another queue"
    );
    tx.commit().await.unwrap();

    // The key of a job that is done stays taken until it is freed.
    bench.drain_of(QUEUE, Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    let mut db = bench.pool.acquire().await.unwrap();
    assert_eq!(apalis_hot::enqueue(&mut db, &job(4)).await.unwrap(), None);
    assert!(admin::delete(&mut db, &first).await.unwrap());
    let fifth = apalis_hot::enqueue(&mut db, &job(5)).await.unwrap().unwrap();

    // Jobs about one thing have its name before a colon; another name may begin alike.
    let with = |key: &str| NewJob { key: Some(key.into()), ..job(6) };
    let again = apalis_hot::enqueue(&mut db, &with("pump 7:again")).await.unwrap().unwrap();
    for key in ["pump 70", "pump 7 again", "pump 7;again", "pump"] {
        apalis_hot::enqueue(&mut db, &with(key)).await.unwrap().unwrap();
    }
    let (queues, subjects) = ([QUEUE.to_owned()], ["pump 7".to_owned()]);
    let about = admin::jobs_about(&mut *db, &queues, &subjects, 10).await.unwrap();
    assert_eq!(about, [again, fifth]);
}

#[tokio::test]
async fn two_transactions_with_one_key_make_one_job() {
    let bench = Bench::new().await;
    let job = NewJob { key: Some("same".into()), ..NewJob::new(QUEUE, &Probe { n: 1 }).unwrap() };
    let mut first = bench.pool.begin().await.unwrap();
    assert!(apalis_hot::enqueue(&mut first, &job).await.unwrap().is_some());
    let second = tokio::spawn({
        let (pool, job) = (bench.pool.clone(), job.clone());
        async move {
            let mut tx = pool.begin().await.unwrap();
            let added = apalis_hot::enqueue(&mut tx, &job).await.unwrap();
            tx.commit().await.unwrap();
            added
        }
    });
    until("the second waits for the first", async || {
        let waits = "select count(*) from pg_locks where not granted";
        sqlx::query_scalar::<_, i64>(waits).fetch_one(&bench.pool).await.unwrap() > 0
    })
    .await;
    first.rollback().await.unwrap();
    assert!(second.await.unwrap().is_some(), "the first was never there");
}

#[tokio::test]
async fn a_delayed_job_runs_when_it_is_due() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    let later =
        NewJob { delay: Duration::from_hours(1), ..NewJob::new(QUEUE, &Probe { n: 1 }).unwrap() };
    let id = apalis_hot::enqueue(&mut db, &later).await.unwrap().unwrap();
    bench.drain(Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert_eq!(bench.job(&id).await.state, admin::State::Scheduled);
    bench.hurry().await;
    bench.drain(Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert_eq!(bench.job(&id).await.state, admin::State::Done);
}

#[tokio::test]
async fn an_announcement_wakes_a_worker_that_hardly_ever_looks() {
    let bench = Bench::new().await;
    let settings = Settings { poll: Duration::from_hours(1), ..Bench::settings() };
    let process = apalis_hot::Process::new(&bench.pool, settings);
    let seen = Seen::default();
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(probe.n);
            std::future::ready(Ok(()))
        })
    };
    let announcer = Announcer::new(&bench.pool);
    let stop = async {
        until("the worker listens and sleeps", async || {
            let workers = admin::workers(&bench.pool).await.unwrap();
            workers.len() == 1 && listens(&bench).await
        })
        .await;
        for n in 1..=3 {
            bench.one().await;
            announcer.announce([QUEUE]);
            until("the job has run", async || seen.len() == n).await;
        }
        Ok(())
    };
    run(&process, Options::new(QUEUE), work, stop).await;
}

async fn listens(bench: &Bench) -> bool {
    let listens = "select count(*) from pg_stat_activity where query ilike 'listen%' and datname = current_database()";
    sqlx::query_scalar::<_, i64>(listens).fetch_one(&bench.pool).await.unwrap() > 0
}

#[tokio::test]
async fn a_hundred_announcements_at_once_are_a_few_notifications() {
    let bench = Bench::new().await;
    let mut listener = PgListener::connect(&bench.url).await.unwrap();
    listener.listen("queue").await.unwrap();
    let announcer = Announcer::new(&bench.pool);
    for _ in 0..100 {
        announcer.announce([QUEUE, "others"]);
    }
    announcer.announce(["the last"]);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|name| name != "the last") {
        heard.push(listener.recv().await.unwrap().payload().to_owned());
    }
    assert!(heard.len() <= 6, "{heard:?}");
    assert!(heard.iter().any(|name| name == QUEUE) && heard.iter().any(|name| name == "others"));
}

#[tokio::test]
async fn metadata_that_others_wrote_spoil_no_claim() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(3).await;
    for (id, metadata) in ids.iter().zip([r#"{"n": 1, "text": "kept", "none": null}"#, "[1]", "7"])
    {
        sqlx::query("update queue.jobs set metadata = $2::jsonb where id = $1")
            .bind(id)
            .bind(metadata)
            .execute(&bench.pool)
            .await
            .unwrap();
    }
    bench.drain(Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    for id in &ids {
        assert_eq!(bench.job(id).await.state, admin::State::Done);
    }
}
