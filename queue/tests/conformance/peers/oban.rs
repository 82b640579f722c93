//! What Oban documents of its jobs (`oban-bg/oban`, 2.23.0).
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use apalis::prelude::{AbortError, BoxDynError, RetryAfterError};
use apalis_hot::{
    Claimed, NewJob, Observer, Options, Outcome, Process, Settings,
    admin::{self, State},
    batch,
};
use chrono::{TimeDelta, Utc};
use tokio::sync::Notify;

use super::{Gate, run_both};
use crate::support::{Bench, Probe, QUEUE, Seen, handler, run, until};

fn fails(error: &'static str) -> crate::support::Handler {
    handler(move |_, _| std::future::ready(Err(error.into())))
}

/// `guides/learning/error_handling.md`: "Oban stores execution errors as a list of maps", with the time, the number of the attempt,
/// and the message.
#[tokio::test]
async fn every_failure_is_kept_with_its_time_its_attempt_and_its_error() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let options = Options { max_attempts: 3, ..Options::new(QUEUE) };
    for error in ["the first", "the second", "the third"] {
        bench.drain(options.clone(), fails(error)).await;
        bench.hurry().await;
    }
    let history = bench.job(&id).await.history();
    let errors: Vec<_> = history.iter().map(|one| (one.attempt, one.error.as_deref())).collect();
    assert_eq!(errors, [(1, Some("the first")), (2, Some("the second")), (3, Some("the third"))]);
    assert!(history.is_sorted_by(|one, next| one.ended_at < next.ended_at));
    assert!(history.iter().all(|one| one.started_at.unwrap() < one.ended_at));
}

/// `guides/learning/error_handling.md`: "the delay between attempts grows exponentially (8s, 16s, and so on), and a randomized
/// \"jitter\" is introduced for each attempt". Ours is between half and all of 2 s, 4 s, 8 s.
#[tokio::test]
async fn the_pauses_between_attempts_grow_and_differ() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(20).await;
    for seconds in [2, 4, 8] {
        bench.drain(Options::new(QUEUE), fails("broken")).await;
        let mut pauses = HashSet::new();
        for id in &ids {
            let job = bench.job(id).await;
            let pause = (job.run_at - job.history().last().unwrap().ended_at).num_milliseconds();
            assert!((seconds * 490..=seconds * 1010).contains(&pause), "{pause} of {seconds} s");
            pauses.insert(pause);
        }
        assert!(pauses.len() > 10, "they come back together: {pauses:?}");
        bench.hurry().await;
    }
}

/// `guides/learning/error_handling.md`: "The number of retries is controlled by the `:max_attempts` value, which can be set at
/// the **worker** or **job** level." Ours is the lower of the two.
#[tokio::test]
async fn the_attempts_of_a_job_are_limited_by_the_job_and_by_its_queue() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    let mut ids = Vec::new();
    for max_attempts in [1, 2, 25] {
        let job = NewJob { max_attempts, ..NewJob::new(QUEUE, &Probe { n: 0 }).unwrap() };
        ids.push(apalis_hot::enqueue(&mut db, &job).await.unwrap().unwrap());
    }
    let options = Options { max_attempts: 3, ..Options::new(QUEUE) };
    for _ in 0..4 {
        bench.drain(options.clone(), fails("broken")).await;
        bench.hurry().await;
    }
    for (id, (attempts, max_attempts)) in ids.iter().zip([(1, 1), (2, 2), (3, 25)]) {
        let job = bench.job(id).await;
        assert_eq!(
            (job.state, job.attempts, job.max_attempts),
            (State::Dead, attempts, max_attempts)
        );
    }
}

/// README, Job Canceling: "Jobs can be canceled in the middle of execution regardless of which node they are running on. This
/// stops the job at once and flags it as `cancelled`." Ours is asked to stop first, and dropped seconds later.
#[tokio::test]
async fn a_cancelled_job_is_stopped_though_it_does_not_look_and_leaves_its_place() {
    struct Dropped(Seen);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.push(0);
        }
    }
    let bench = Bench::new().await;
    let ids = bench.enqueue(2).await;
    let (begun, dropped) = (Seen::default(), Seen::default());
    let work = {
        let (begun, dropped) = (begun.clone(), dropped.clone());
        handler(move |probe, _| {
            let (begun, dropped) = (begun.clone(), dropped.clone());
            async move {
                begun.push(probe.n);
                if probe.n == 0 {
                    let _dropped = Dropped(dropped);
                    std::future::pending::<()>().await;
                }
                Ok(())
            }
        })
    };
    let scenario = async {
        until("the first runs", async || begun.len() == 1).await;
        let mut db = bench.pool.acquire().await.unwrap();
        assert!(admin::cancel(&mut db, &ids[0], "called off").await.unwrap());
        until("the next has run", async || bench.job(&ids[1]).await.state == State::Done).await;
        assert_eq!(dropped.len(), 1);
        Ok(())
    };
    let options =
        Options { concurrency: 1, timeout: Duration::from_hours(1), ..Options::new(QUEUE) };
    run(&bench.process(), options, work, scenario).await;
    assert_eq!(bench.job(&ids[0]).await.state, State::Cancelled);
    assert_eq!(bench.outcomes(&ids[0]).await, ["cancelled"]);
}

/// `guides/learning/operational_maintenance.md`: "Pruning is only applied to jobs that are `completed`, `cancelled`, or
/// `discarded`. It'll never delete a new job, a scheduled job, or a job that failed and will be retried."
#[tokio::test]
async fn pruning_never_removes_what_is_still_to_run() {
    let bench = Bench::new().await;
    let mut db = bench.pool.acquire().await.unwrap();
    let job = |key: &str, delay| NewJob {
        key: Some(key.to_owned()),
        delay,
        ..NewJob::new(QUEUE, &Probe { n: 1 }).unwrap()
    };
    let retrying = job("retrying", Duration::ZERO);
    let mut ids = vec![apalis_hot::enqueue(&mut db, &retrying).await.unwrap().unwrap()];
    bench.drain(Options::new(QUEUE), fails("broken")).await;
    for (key, delay) in [("ready", Duration::ZERO), ("scheduled", Duration::from_hours(1))] {
        ids.push(apalis_hot::enqueue(&mut db, &job(key, delay)).await.unwrap().unwrap());
    }
    let open = batch::open(&mut db, &job("then", Duration::ZERO)).await.unwrap();
    ids.push(
        batch::add(&mut db, &open, &job("in a batch", Duration::ZERO)).await.unwrap().unwrap(),
    );
    for old in [
        "update queue.jobs set created_at = created_at - interval '1 year'",
        "update queue.keys set taken_at = taken_at - interval '1 year'",
        "update queue.batches set created_at = created_at - interval '1 year'",
    ] {
        sqlx::query(old).execute(&bench.pool).await.unwrap();
    }

    let soon = Utc::now() + TimeDelta::hours(2);
    admin::keep_days(&bench.pool, 1).await.unwrap();
    admin::prune_rest(&mut db, soon, 100).await.unwrap();
    admin::prune_dead(&mut db, soon, 100).await.unwrap();
    admin::forget_keys(&mut db, soon, 100).await.unwrap();
    batch::prune(&mut db, soon, 100).await.unwrap();

    assert_eq!(admin::find_all(&bench.pool, &ids).await.unwrap().len(), 4);
    for key in ["retrying", "ready", "scheduled", "in a batch"] {
        let again = apalis_hot::enqueue(&mut db, &job(key, Duration::ZERO)).await.unwrap();
        assert_eq!(again, None, "the key of what is {key}");
    }
    assert!(batch::summary(&bench.pool, &open).await.is_ok());
}

/// Oban.Lifeline rescues "purely based on time" and "may transition jobs that are genuinely `executing` and cause duplicate
/// execution" (`lib/oban/lifeline.ex`); Oban Pro's rescues "without the possibility of duplicate execution" (the overview of
/// Pro, hexdocs.pm/oban/2.11.0). Ours does the same, as long as the process is heard of.
#[tokio::test]
async fn a_job_that_outlasts_the_silence_is_not_rescued_from_a_living_process() {
    let bench = Bench::new().await;
    let id = bench.one().await;
    let gates = [Gate::new(), Gate::new()];
    let processes = gates.each_ref().map(|gate| {
        let settings = Settings { silence: Duration::from_secs(4), ..Bench::settings() };
        (Process::new(&bench.pool, settings), gate.handler())
    });
    let scenario = async {
        until("it has run for two silences, and the other could have rescued it", async || {
            let both = "select (select clock_timestamp() - lock_at > interval '9 seconds' from queue.jobs where id = $1)
                and (select bool_and(clock_timestamp() - heard_since > interval '6 seconds') from queue.workers)";
            let both = sqlx::query_scalar::<_, Option<bool>>(both).bind(&id);
            both.fetch_one(&bench.pool).await.unwrap().unwrap_or(false)
        })
        .await;
        for gate in &gates {
            gate.let_through(2);
        }
        bench.idle().await.unwrap();
    };
    run_both(&processes, &Options::new(QUEUE), scenario).await;
    let job = bench.job(&id).await;
    assert_eq!((job.state, job.attempts, job.rescues), (State::Done, 1, 0));
    assert_eq!(bench.outcomes(&id).await, ["done"]);
}

type Work = fn() -> Result<(), BoxDynError>;

#[derive(Default)]
struct Events(Mutex<Vec<(i32, Option<Outcome>)>>);

impl Observer for Events {
    fn begun(&self, job: &Claimed) {
        self.0.lock().unwrap().push((job.attempt, None));
    }

    fn ended(&self, job: &Claimed, outcome: Outcome, _: Duration) {
        self.0.lock().unwrap().push((job.attempt, Some(outcome)));
    }
}

/// README, Telemetry Integration: "Job life-cycle events are emitted"; `lib/oban/telemetry.ex`: for each job one when it starts,
/// and one when it stops or fails, by "an `:error`, exception, or crash". River has a handler of errors and panics
/// (`error_handler.go`) and subscriptions to such events.
#[tokio::test]
async fn each_attempt_is_told_when_it_begins_and_how_it_ended() {
    let bench = Bench::new().await;
    bench.one().await;
    let events = Arc::new(Events::default());
    let attempts: [(Outcome, Work); 4] = [
        (Outcome::Retry, || Err("broken".into())),
        (Outcome::Retry, || panic!("exploded")),
        (Outcome::Snooze, || Err(RetryAfterError::new("later", Duration::from_hours(1)).into())),
        (Outcome::Dead, || Err(AbortError::new("never").into())),
    ];
    let mut expected = Vec::new();
    for (attempt, (outcome, work)) in [1, 2, 3, 3].into_iter().zip(attempts) {
        let settings = Settings { observer: events.clone(), ..Bench::settings() };
        let go_on = Arc::new(Notify::new());
        let work = {
            let go_on = go_on.clone();
            handler(move |_, _| {
                let go_on = go_on.clone();
                async move {
                    go_on.notified().await;
                    work()
                }
            })
        };
        let mut db = bench.pool.acquire().await.unwrap();
        let once = async {
            expected.push((attempt, None));
            until("it is told", async || *events.0.lock().unwrap() == expected).await;
            // The next process makes the next attempt.
            admin::pause(&mut db, QUEUE, "boss").await.unwrap();
            go_on.notify_one();
            expected.push((attempt, Some(outcome)));
            until("it is told", async || *events.0.lock().unwrap() == expected).await;
            Ok(())
        };
        run(&Process::new(&bench.pool, settings), Options::new(QUEUE), work, once).await;
        admin::resume(&mut db, QUEUE).await.unwrap();
        bench.hurry().await;
    }
    assert_eq!(*events.0.lock().unwrap(), expected);
}
