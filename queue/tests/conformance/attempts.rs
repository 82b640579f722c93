//! How attempts end, and what becomes of their jobs.
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use apalis::prelude::{AbortError, RetryAfterError};
use apalis_hot::{NewJob, Options, admin::State};

use crate::support::{Bench, Probe, QUEUE, Seen, handler, run};

fn options() -> Options {
    Options { max_attempts: 3, timeout: Duration::from_millis(200), ..Options::new(QUEUE) }
}

#[tokio::test]
async fn a_job_that_is_done_is_in_the_ledger() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    bench.drain(options(), handler(async |_, _| Ok(()))).await;
    let job = bench.job(&id).await;
    assert_eq!((job.state, job.attempts, job.error), (State::Done, 1, None));
    assert_eq!(bench.outcomes(&id).await, ["done"]);
}

#[tokio::test]
async fn a_failure_waits_durably_and_is_dead_after_its_attempts() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    for attempt in 1..=3 {
        bench.drain(options(), handler(async |_, _| Err("broken".into()))).await;
        let job = bench.job(&id).await;
        assert_eq!(job.attempts, attempt);
        assert_eq!(job.error.as_deref(), Some("broken"));
        let expected = if attempt < 3 { State::Retrying } else { State::Dead };
        assert_eq!(job.state, expected);
        bench.hurry().await;
    }
    assert_eq!(bench.outcomes(&id).await, ["retry", "retry", "dead"]);
}

#[tokio::test]
async fn abort_error_is_dead_at_once_with_its_reason() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    bench.drain(options(), handler(async |_, _| Err(AbortError::new("no such pump").into()))).await;
    let job = bench.job(&id).await;
    assert_eq!((job.state, job.error.as_deref()), (State::Dead, Some("no such pump")));
}

#[tokio::test]
async fn retry_after_error_snoozes_as_long_as_it_says_and_costs_no_attempt() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let later = || RetryAfterError::new("not yet", Duration::from_hours(2));
    for _ in 0..5 {
        bench.drain(options(), handler(move |_, _| std::future::ready(Err(later().into())))).await;
        let job = bench.job(&id).await;
        assert_eq!((job.state, job.attempts), (State::Scheduled, 0));
        let pause = (job.run_at - job.created_at).num_minutes();
        assert!((119..=121).contains(&pause), "{pause} minutes");
        bench.hurry().await;
    }
}

#[tokio::test]
async fn a_panic_and_a_late_attempt_are_failures_like_any_other() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(2).await;
    let work = handler(async |probe: Probe, _| {
        assert!(probe.n != 0, "the pump exploded");
        std::future::pending().await
    });
    bench.drain(options(), work).await;
    let error = |id: &String| {
        let (bench, id) = (&bench, id.clone());
        async move { (bench.job(&id).await.state, bench.job(&id).await.error.unwrap()) }
    };
    assert_eq!(error(&ids[0]).await, (State::Retrying, "panicked: the pump exploded".to_owned()));
    assert_eq!(error(&ids[1]).await, (State::Retrying, "not done within 200ms".to_owned()));
}

#[tokio::test]
async fn a_payload_that_nobody_can_read_waits_for_another_version_and_the_worker_goes_on() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    let unreadable = NewJob::new(QUEUE, &"no probe").unwrap();
    let unreadable = apalis_hot::enqueue(&mut db, &unreadable).await.unwrap().unwrap();
    let readable = bench.one().await;
    bench.drain(options(), handler(async |_, _| Ok(()))).await;
    assert_eq!(bench.job(&unreadable).await.state, State::Retrying);
    assert_eq!(bench.job(&readable).await.state, State::Done);
}

#[tokio::test]
async fn a_death_and_what_the_business_is_told_commit_together() {
    let bench = Bench::new().await;
    sqlx::raw_sql("create table told (reason text)").execute(&bench.pool).await.unwrap();
    let id = bench.one().await;
    let options = Options {
        on_dead: Some(Arc::new(|mut tx, told| {
            Box::pin(async move {
                sqlx::query("insert into told values ($1)")
                    .bind(&told.reason)
                    .execute(&mut *tx)
                    .await?;
                let times: i64 =
                    sqlx::query_scalar("select count(*) from told").fetch_one(&mut *tx).await?;
                // At the first attempt the hook fails after it has written.
                let is_first = sqlx::query_scalar::<_, bool>(
                    "select attempts = 1 from queue.ended where id = $1",
                )
                .bind(&told.id)
                .fetch_one(&mut *tx)
                .await?;
                if is_first && times == 1 {
                    return Err("nobody listens".into());
                }
                Ok(tx)
            })
        })),
        ..options()
    };
    let abort = || handler(async |_, _| Err(AbortError::new("broken").into()));
    bench.drain(options.clone(), abort()).await;
    assert_eq!(bench.job(&id).await.state, State::Retrying, "not dead before it is told");
    bench.hurry().await;
    bench.drain(options, abort()).await;
    assert_eq!(bench.job(&id).await.state, State::Dead);
    let told: Vec<String> =
        sqlx::query_scalar("select reason from told").fetch_all(&bench.pool).await.unwrap();
    assert_eq!(told, ["broken"]);
}

#[tokio::test]
async fn a_telling_that_panics_holds_up_nobody() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(2).await;
    let options = Options { on_dead: Some(Arc::new(|_, told| panic!("{}", told.id))), ..options() };
    let work = handler(async |probe: Probe, _| match probe.n {
        0 => Err(AbortError::new("broken").into()),
        _ => Ok(()),
    });
    bench.drain(options, work).await;
    let dead = bench.job(&ids[0]).await;
    assert_eq!(dead.state, State::Dead);
    assert!(dead.error.unwrap().contains("telling of it panicked"));
    assert_eq!(bench.job(&ids[1]).await.state, State::Done);
}

#[tokio::test]
async fn no_more_run_at_once_than_there_are_places() {
    let bench = Bench::new().await;
    bench.enqueue(20).await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = {
        let (running, most) = (running.clone(), most.clone());
        handler(move |_, _| {
            let (running, most) = (running.clone(), most.clone());
            async move {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                running.fetch_sub(1, SeqCst);
                Ok(())
            }
        })
    };
    let options = Options { concurrency: 3, timeout: Duration::from_mins(1), ..options() };
    let process = bench.process();
    let done = bench.idle();
    run(&process, options, work, done).await;
    assert_eq!(most.load(SeqCst), 3);
    let done =
        sqlx::query_scalar::<_, i64>("select count(*) from queue.ended where outcome = 'done'");
    assert_eq!(done.fetch_one(&bench.pool).await.unwrap(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_share_a_queue_and_run_each_job_once() {
    let bench = Bench::new().await;
    bench.enqueue(300).await;
    let runs = Seen::default();
    let work = || {
        let runs = runs.clone();
        handler(move |probe, _| {
            runs.push(probe.n);
            std::future::ready(Ok(()))
        })
    };
    let drain = || bench.drain(Options::new(QUEUE), work());
    tokio::join!(drain(), drain(), drain());
    let mut runs = runs.all();
    runs.sort_unstable();
    assert_eq!(runs, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_snooze_for_ages_is_one_of_years_and_keeps_no_other_end_from_being_recorded() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(2).await;
    let work = handler(async |probe: Probe, _| match probe.n {
        0 => Err(RetryAfterError::new("one day", Duration::MAX).into()),
        _ => Ok(()),
    });
    bench.drain(options(), work).await;
    let snoozed = bench.job(&ids[0]).await;
    assert_eq!((snoozed.state, snoozed.attempts), (State::Scheduled, 0));
    assert!((snoozed.run_at - snoozed.created_at).num_days() > 3000, "{}", snoozed.run_at);
    assert_eq!(bench.job(&ids[1]).await.state, State::Done);
}
