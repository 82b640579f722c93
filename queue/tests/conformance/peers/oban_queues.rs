//! What Oban documents of its queues (`oban-bg/oban`, 2.23.0).
use std::{sync::Arc, time::Duration};

use apalis_hot::{
    Announcer, Lease, Options, Process, Settings,
    admin::{self, State},
};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::Notify;

use super::{Gate, all_are, all_heard_after, enqueue_to, run_both};
use crate::support::{Bench, QUEUE, Seen, also, handler, monitor, run, run_monitor, until};

/// README, Isolated Queues: "Each queue runs in isolation, with its own concurrency limits, ensuring that a job in a single slow
/// queue can't back up other faster queues."
#[tokio::test]
async fn the_backlog_of_a_slow_queue_holds_up_no_other() {
    let bench = Bench::new().await;
    let slow = bench.enqueue(30).await;
    let fast = enqueue_to(&bench, "fast", 30).await;
    let process = bench.process();
    let gate = Gate::new();
    let options = |queue| Options { concurrency: 2, ..Options::new(queue) };
    let monitor = monitor(&process, options(QUEUE), gate.handler());
    let monitor = also(monitor, &process, options("fast"), handler(async |_, _| Ok(())));
    let scenario = async {
        until("the slow queue has no place left", async || gate.running() == 2).await;
        until("the fast one is done", async || all_are(&bench, &fast, State::Done).await).await;
        assert_eq!(gate.running(), 2, "and the slow one stands where it stood");
        assert!(all_are(&bench, &slow[2..], State::Ready).await);
        gate.let_through(30);
        bench.idle().await
    };
    run_monitor(&process, monitor, scenario).await;
}

/// `guides/learning/defining_queues.md`: "Only jobs in the configured queues will execute. Jobs in any other queue will stay in the
/// database untouched."
#[tokio::test]
async fn jobs_of_a_queue_that_nobody_runs_stay_untouched() {
    let bench = Bench::new().await;
    let others = enqueue_to(&bench, "others", 3).await;
    bench.one().await;
    bench.drain_of(QUEUE, Options::new(QUEUE), handler(async |_, _| Ok(()))).await;
    assert!(all_are(&bench, &others, State::Ready).await);
    for id in &others {
        let job = bench.job(id).await;
        assert_eq!((job.attempts, job.history().len(), job.worker), (0, 0, None));
    }
}

/// `lib/oban.ex`, `pause_queue/2`: "Pause a running queue, preventing it from executing any new jobs. All running jobs will remain
/// running until they are finished"; README, Queue Control: "across _all_ running nodes".
#[tokio::test]
async fn a_pause_is_for_all_processes_and_what_runs_ends() {
    let bench = Bench::new().await;
    let first = bench.enqueue(2).await;
    let gates = [Gate::new(), Gate::new()];
    let processes = gates.each_ref().map(|gate| (bench.process(), gate.handler()));
    let options = Options { concurrency: 1, ..Options::new(QUEUE) };
    let scenario = async {
        until("each runs one", async || gates.iter().all(|gate| gate.running() == 1)).await;
        let mut db = bench.pool.acquire().await.unwrap();
        admin::pause(&mut db, QUEUE, "boss").await.unwrap();
        let later = bench.enqueue(4).await;
        for gate in &gates {
            gate.let_through(10);
        }
        until("what ran is done", async || all_are(&bench, &first, State::Done).await).await;
        until("both have looked for more", async || {
            all_heard_after(&bench, "select max(ended_at) from queue.ended").await
        })
        .await;
        assert!(all_are(&bench, &later, State::Ready).await);
        admin::resume(&mut db, QUEUE).await.unwrap();
        until("the rest is done", async || all_are(&bench, &later, State::Done).await).await;
    };
    run_both(&processes, &options, scenario).await;
}

/// `lib/oban.ex`, `scale_queue/2`: "Scale a queue up, triggering immediate execution of queued jobs", "Scale the queue back down,
/// allowing executing jobs to finish"; on all nodes unless `:local_only`.
#[tokio::test]
async fn a_queue_is_scaled_up_and_down_in_all_processes_and_what_runs_ends() {
    let bench = Bench::new().await;
    bench.enqueue(2000).await;
    let gates = [Gate::new(), Gate::new()];
    let each_runs = async |count: usize| gates.iter().all(|gate| gate.running() == count);
    let processes = gates.each_ref().map(|gate| (bench.process(), gate.handler()));
    let options = Options { concurrency: 1, ..Options::new(QUEUE) };
    let scenario = async {
        let mut db = bench.pool.acquire().await.unwrap();
        until("each runs one", async || each_runs(1).await).await;
        admin::set_concurrency(&mut db, QUEUE, Some(3)).await.unwrap();
        until("each runs three", async || each_runs(3).await).await;
        admin::set_concurrency(&mut db, QUEUE, Some(1)).await.unwrap();
        until("each runs one again", async || {
            // While the limit is still three, an attempt that ends makes room for another.
            for gate in gates.iter().filter(|gate| gate.running() > 1) {
                gate.let_through(1);
            }
            each_runs(1).await
        })
        .await;
        for gate in &gates {
            gate.let_through(2000);
        }
        bench.idle().await.unwrap();
        let done: i64 =
            sqlx::query_scalar("select count(*) from queue.ended where outcome = 'done'")
                .fetch_one(&bench.pool)
                .await
                .unwrap();
        assert_eq!(done, 2000, "none of those that ran was stopped");
    };
    run_both(&processes, &options, scenario).await;
}

/// README, Resilient Queues: "Failing queries won't crash the entire supervision tree, instead a backoff mechanism will safely
/// retry them again in the future."
#[tokio::test]
async fn cut_connections_and_failing_queries_end_no_worker_and_lose_no_job() {
    let bench = Bench::new().await;
    let mut db = PgConnection::connect(&bench.url).await.unwrap();
    let gate = Gate::new();
    let scenario = async {
        let mut ids = Vec::new();
        for round in 1..=3 {
            ids.extend(bench.enqueue(4).await);
            until("all places are taken", async || gate.running() == 4).await;
            let cut = "select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()";
            sqlx::query(cut).execute(&mut db).await.unwrap();
            // The ends are recorded, and the next jobs are claimed, although the connections were cut.
            gate.let_through(4);
            until("what ran is recorded", async || {
                let done = "select count(*) from queue.ended where outcome = 'done'";
                sqlx::query_scalar::<_, i64>(done).fetch_one(&mut db).await.unwrap() == round * 4
            })
            .await;
            // Without their table, all claims fail.
            sqlx::raw_sql("alter table queue.jobs rename to hidden")
                .execute(&mut db)
                .await
                .unwrap();
            until("claims have failed", async || {
                all_heard_after(&bench, "select max(ended_at) from queue.ended").await
            })
            .await;
            sqlx::raw_sql("alter table queue.hidden rename to jobs")
                .execute(&mut db)
                .await
                .unwrap();
        }
        assert!(all_are(&bench, &ids, State::Done).await);
        Ok(())
    };
    run(&bench.process(), Options::new(QUEUE), gate.handler(), scenario).await;
}

/// README, Graceful Shutdown: "Queue shutdown is delayed so that slow jobs can finish executing before shutdown. When shutdown
/// starts queues are paused and stop executing new jobs." River's soft stop is the same: "Stop fetching new work and wait for
/// active jobs to finish" (`docs/README.md`).
#[tokio::test]
async fn a_stop_waits_for_what_is_slow_and_begins_no_other() {
    let bench = Bench::new().await;
    let slow = bench.one().await;
    let seen = Seen::default();
    let (begun, stopping, go_on) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let work = {
        let (seen, begun, stopping, go_on) =
            (seen.clone(), begun.clone(), stopping.clone(), go_on.clone());
        handler(move |probe, lease: Lease| {
            seen.push(probe.n);
            let (begun, stopping, go_on) = (begun.clone(), stopping.clone(), go_on.clone());
            async move {
                begun.notify_one();
                // It is asked to end, and goes on.
                lease.cancel.cancelled().await;
                stopping.notify_one();
                go_on.notified().await;
                Ok(())
            }
        })
    };
    let settings = Settings { shutdown: Duration::from_mins(1), ..Bench::settings() };
    let process = Process::new(&bench.pool, settings);
    let stop = async {
        begun.notified().await;
        Ok(())
    };
    let meanwhile = async {
        stopping.notified().await;
        let waits = bench.one().await;
        Announcer::new(&bench.pool).announce([QUEUE]);
        until("the process has had time to take it", async || {
            all_heard_after(&bench, "select max(created_at) from queue.jobs").await
        })
        .await;
        go_on.notify_one();
        waits
    };
    let ((), waits) = tokio::join!(run(&process, Options::new(QUEUE), work, stop), meanwhile);
    assert_eq!(bench.job(&slow).await.state, State::Done);
    let waits = bench.job(&waits).await;
    assert_eq!((waits.state, waits.attempts, seen.len()), (State::Ready, 0, 1));
}

/// `lib/oban/worker.ex`, Prioritizing Jobs: "Normally, all available jobs within a queue are executed in the order they were
/// scheduled."
#[tokio::test]
async fn jobs_begin_in_the_order_in_which_they_are_due() {
    let bench = Bench::new().await;
    let ids = bench.enqueue(30).await;
    // In another order than that of their ids.
    let due = |n: usize| n * 7 % 30;
    for (n, id) in ids.iter().enumerate() {
        let moved = "update queue.jobs set run_at = created_at - interval '1 hour' + make_interval(secs => $2) where id = $1";
        let seconds = u32::try_from(due(n)).unwrap();
        sqlx::query(moved).bind(id).bind(f64::from(seconds)).execute(&bench.pool).await.unwrap();
    }
    let seen = Seen::default();
    let work = {
        let seen = seen.clone();
        handler(move |probe, _| {
            seen.push(due(probe.n));
            std::future::ready(Ok(()))
        })
    };
    bench.drain(Options { concurrency: 1, ..Options::new(QUEUE) }, work).await;
    assert_eq!(seen.all(), (0..30).collect::<Vec<_>>());
}
