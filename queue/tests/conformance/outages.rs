//! Outages of the services that jobs need.
use std::time::Duration;

use apalis_hot::{NewJob, Options, Outage, admin::State, breaker};

use crate::support::{Bench, QUEUE, Seen, handler, run, until};

const SMTP: &str = "smtp";

fn options() -> Options {
    Options { needs: vec![SMTP.into()], max_attempts: 2, concurrency: 1, ..Options::new(QUEUE) }
}

fn away() -> Outage {
    Outage {
        dependency: Some(SMTP.into()),
        longest_pause: Duration::from_mins(1),
        source: "connection refused".into(),
    }
}

#[tokio::test]
async fn an_outage_costs_time_and_no_attempt() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let options = Options { needs: Vec::new(), ..options() };
    for outages in 1..=4 {
        bench.drain(options.clone(), handler(async |_, _| Err(away().into()))).await;
        let job = bench.job(&id).await;
        assert_eq!((job.state, job.attempts), (State::Retrying, 0));
        let counted: i32 = sqlx::query_scalar("select outages from queue.jobs")
            .fetch_one(&bench.pool)
            .await
            .unwrap();
        assert_eq!(counted, outages);
        bench.hurry().await;
    }
    // After a day of outages the job is dead.
    sqlx::query("update queue.jobs set outage_since = clock_timestamp() - interval '25 hours'")
        .execute(&bench.pool)
        .await
        .unwrap();
    bench.drain(options, handler(async |_, _| Err(away().into()))).await;
    assert_eq!(bench.job(&id).await.state, State::Dead);
}

#[tokio::test]
async fn while_a_breaker_is_open_one_job_probes_and_the_first_answer_closes_it() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(20).await;
    let process = bench.process();
    let seen = Seen::default();
    let is_back = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let work = {
        let (seen, is_back, process) = (seen.clone(), is_back.clone(), process.clone());
        handler(move |probe, _| {
            seen.push(probe.n);
            let is_back = is_back.load(std::sync::atomic::Ordering::SeqCst);
            if is_back {
                process.answered(SMTP);
            }
            std::future::ready(if is_back { Ok(()) } else { Err(away().into()) })
        })
    };
    let stop = async {
        until("the breaker is open", async || {
            let breakers = breaker::list(&bench.pool).await.unwrap();
            breakers.iter().any(|breaker| breaker.open_since.is_some())
        })
        .await;
        let tried = seen.len();
        until("it was probed", async || breaker::list(&bench.pool).await.unwrap()[0].probes >= 2)
            .await;
        assert!(seen.len() <= tried + 3, "only probes: {tried}, then {}", seen.len());
        is_back.store(true, std::sync::atomic::Ordering::SeqCst);
        until("all is done", async || {
            let mut done = true;
            for id in &ids {
                done &= bench.job(id).await.state == State::Done;
            }
            done
        })
        .await;
        assert!(breaker::list(&bench.pool).await.unwrap()[0].open_since.is_none());
        Ok(())
    };
    run(&process, options(), work, stop).await;
}

#[tokio::test]
async fn a_probe_that_nobody_can_read_is_given_up() {
    let bench = Bench::new().await;
    let open = "insert into queue.breakers (name, failures, open_since) values ('smtp', 5, now())
        on conflict (name) do update set failures = 5, open_since = now()";
    sqlx::query(open).execute(&bench.pool).await.unwrap();
    let mut db = bench.pool.acquire().await.unwrap();
    let unreadable = NewJob::new(QUEUE, &"no probe").unwrap();
    let id = apalis_hot::enqueue(&mut db, &unreadable).await.unwrap().unwrap();
    let scenario = async {
        until("it has failed, and the probe is free", async || {
            let probe = sqlx::query_scalar::<_, Option<String>>(
                "select probe_by from queue.breakers where name = 'smtp'",
            );
            bench.job(&id).await.state == State::Retrying
                && probe.fetch_one(&bench.pool).await.unwrap().is_none()
        })
        .await;
        Ok(())
    };
    run(&bench.process(), options(), handler(async |_, _| Ok(())), scenario).await;
}
