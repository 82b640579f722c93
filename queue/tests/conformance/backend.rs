//! What apalis and its tools see.
use apalis::prelude::{
    Expose, Filter, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics, Monitor, Status,
    TaskBuilder, TaskSink, WaitForCompletion, WorkerBuilder,
};
use apalis_core::{
    backend::{FetchById, QueueInfo, Statistic, TaskResult, finalize::Durable},
    task::task_id::TaskId,
};
use apalis_hot::{NewJob, Options, Storage, admin};
use futures_util::StreamExt as _;

use crate::support::{Bench, Probe, QUEUE, handler, run_monitor, until};

/// Compiles only if a board can show this backend, and push to it.
fn exposes<T: Expose<Probe, Durable>>(_: &T) {}

#[tokio::test]
async fn tasks_pushed_by_apalis_are_jobs_and_their_results_can_be_waited_for() {
    let bench = Bench::new().await;
    let mut storage = Storage::<Probe>::new(&bench.pool, QUEUE);
    exposes(&storage);
    storage.push(Probe { n: 1 }).await.unwrap();
    storage.push_bulk((2..5).map(|n| Probe { n }).collect()).await.unwrap();
    storage
        .push_task(TaskBuilder::new(Probe { n: 5 }).idempotency_key("five").max_attempts(7).build())
        .await
        .unwrap();
    storage
        .push_task(TaskBuilder::new(Probe { n: 6 }).idempotency_key("five").build())
        .await
        .unwrap();
    let pending = storage.list_tasks(&filter(Some(Status::Pending))).await.unwrap();
    assert_eq!(pending.len(), 5, "the sixth has the key of the fifth");

    let process = bench.process();
    let monitor = Monitor::new().register({
        let process = process.clone();
        move |_| {
            WorkerBuilder::new("double")
                .backend(process.storage::<Probe>(Options::new(QUEUE)))
                .build(async |probe: Probe| probe.n * 2)
        }
    });
    run_monitor(&process, monitor, bench.idle()).await;
    let ids = pending.iter().map(|task| task.task_id().unwrap().clone());
    let mut results: Vec<usize> = storage
        .wait_for(ids.clone())
        .map(|result: apalis_hot::Result<TaskResult<usize>>| result.unwrap().take().unwrap())
        .collect()
        .await;
    results.sort_unstable();
    assert_eq!(results, [2, 4, 6, 8, 10]);
    assert_eq!(WaitForCompletion::<usize>::check_status(&mut storage, ids).await.unwrap().len(), 5);
    let fifth = pending.iter().find(|task| task.idempotency_key() == Some("five")).unwrap();
    let fetched = storage.fetch_by_id(fifth.task_id().unwrap()).await.unwrap().unwrap();
    assert_eq!((fetched.status(), fetched.max_attempts()), (Status::Done, Some(7)));
}

fn filter(status: Option<Status>) -> Filter {
    Filter { status, page: 1, page_size: Some(10) }
}

#[tokio::test]
async fn queues_workers_and_figures_are_listed() {
    let bench = Bench::new().await;
    bench.enqueue(3).await;
    let storage = Storage::<Probe>::new(&bench.pool, QUEUE);
    let stop = async {
        until("all is done and the worker known", async || {
            let done = storage.list_all_tasks(&filter(Some(Status::Done))).await.unwrap();
            done.len() == 3 && storage.list_workers().await.unwrap().len() == 1
        })
        .await;
        let queues = storage.list_queues().await.unwrap();
        assert_eq!((queues.len(), &*queues[0].name, queues[0].workers.len()), (1, QUEUE, 1));
        assert_eq!(queues[0].activity, [0, 0, 0, 0, 0, 0, 3]);
        assert_eq!(storage.global().await.unwrap()[0].value, "0");
        assert!(!storage.fetch_by_queue().await.unwrap().is_empty());
        Ok(())
    };
    crate::support::run(&bench.process(), Options::new(QUEUE), handler(async |_, _| Ok(())), stop)
        .await;
}

/// Inserts `count` jobs of `queue` that have ended now with `outcome`.
async fn have_ended(bench: &Bench, queue: &str, outcome: &str, count: i32) {
    let prefix = &ulid::Ulid::generate().to_string()[..10];
    let ended = sqlx::query(
        r#"
            insert into queue.ended (id, queue, outcome, ended_at, run_at, created_at, attempts, max_attempts, rescues, payload)
            select $1 || lpad(n::text, 16, '0'), $2, $3, now(), now(), now(), 1, 25, 0, '{"n":1}'
            from generate_series(1, $4) n
        "#,
    );
    let ended = ended.bind(prefix).bind(queue).bind(outcome).bind(count);
    ended.execute(&bench.pool).await.unwrap();
}

fn figure(statistics: &[Statistic], title: &str) -> String {
    let of = statistics.iter().find(|statistic| statistic.title == title);
    of.unwrap_or_else(|| panic!("no {title}")).value.clone()
}

/// The counts of running, pending, failed, killed, done, and all jobs.
fn figures(statistics: &[Statistic]) -> [String; 6] {
    ["RUNNING_JOBS", "PENDING_JOBS", "FAILED_JOBS", "KILLED_JOBS", "DONE_JOBS", "TOTAL_JOBS"]
        .map(|title| figure(statistics, title))
}

#[tokio::test]
async fn each_status_that_a_page_lists_is_counted_and_no_count_has_to_read_a_long_ledger() {
    let bench = Bench::new().await;
    let storage = Storage::<Probe>::new(&bench.pool, QUEUE);
    bench.enqueue(2).await;
    have_ended(&bench, QUEUE, "done", 1_200).await;
    have_ended(&bench, QUEUE, "dead", 3).await;
    have_ended(&bench, QUEUE, "cancelled", 4).await;
    // A queue without workers or live jobs.
    have_ended(&bench, "old", "done", 5).await;

    let own = ["0", "2", "0", "7", "1200", "1209"];
    assert_eq!(figures(&storage.fetch_by_queue().await.unwrap()), own);
    assert_eq!(figures(&storage.global().await.unwrap()), ["0", "2", "0", "7", "1205", "1214"]);
    let queues = storage.list_queues().await.unwrap();
    let [old, probes]: &[QueueInfo; 2] = queues.as_slice().try_into().unwrap();
    assert_eq!((&*old.name, &*old.activity), ("old", &[0, 0, 0, 0, 0, 0, 5][..]));
    assert_eq!(figures(&old.stats), ["0", "0", "0", "0", "5", "5"]);
    assert_eq!(figures(&probes.stats), own);
    assert_eq!(probes.activity, [0, 0, 0, 0, 0, 0, 1_000], "a day is counted that far");
}

#[tokio::test]
async fn pages_of_two_states_are_in_one_order_and_no_page_is_out_of_reach() {
    let bench = Bench::new().await;
    let storage = Storage::<Probe>::new(&bench.pool, QUEUE);
    let mut ids = Vec::new();
    for n in 0..4 {
        let mut job = NewJob::new(QUEUE, &Probe { n }).unwrap();
        if n % 2 == 0 {
            job.delay = std::time::Duration::from_hours(1);
        }
        let mut tx = bench.pool.begin().await.unwrap();
        ids.push(apalis_hot::enqueue(&mut tx, &job).await.unwrap().unwrap());
        tx.commit().await.unwrap();
    }
    ids.reverse();
    let page = async |page, page_size| {
        let filter = Filter { status: Some(Status::Pending), page, page_size };
        let tasks = storage.list_tasks(&filter).await.unwrap();
        tasks.iter().map(|task| task.task_id().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(1, Some(3)).await, ids[..3]);
    assert_eq!(page(2, Some(3)).await, ids[3..]);
    assert_eq!(page(0, Some(3)).await, ids[..3], "before the first is the first");
    assert_eq!(page(u32::MAX, Some(u32::MAX)).await, [""; 0]);

    let mut db = bench.pool.acquire().await.unwrap();
    assert!(admin::cancel(&mut db, &ids[1], "not wanted").await.unwrap());
    assert_eq!(storage.list_tasks(&filter(Some(Status::Killed))).await.unwrap().len(), 1);
    assert_eq!(storage.list_tasks(&filter(Some(Status::Queued))).await.unwrap().len(), 0);
    have_ended(&bench, QUEUE, "done", 1_001).await;
    let all = Filter { status: None, page: 1, page_size: Some(u32::MAX) };
    assert_eq!(storage.list_all_tasks(&all).await.unwrap().len(), 1_000, "no page is longer");
}

#[tokio::test]
async fn a_queue_does_not_give_out_the_jobs_of_another_as_its_own() {
    let bench = Bench::new().await;
    let id = TaskId::from_string(bench.one().await);
    let mut own = Storage::<Probe>::new(&bench.pool, QUEUE);
    assert!(own.fetch_by_id(&id).await.unwrap().is_some());
    let mut other = Storage::<String>::new(&bench.pool, "others");
    assert!(other.fetch_by_id(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_result_that_postgres_cannot_hold_is_kept_without_what_it_cannot() {
    let bench = Bench::new().await;
    bench.enqueue(2).await;
    let mut storage = Storage::<Probe>::new(&bench.pool, QUEUE);
    let pending = storage.list_tasks(&filter(Some(Status::Pending))).await.unwrap();
    let process = bench.process();
    let monitor = Monitor::new().register({
        let process = process.clone();
        move |_| {
            WorkerBuilder::new("texts")
                .backend(process.storage::<Probe>(Options::new(QUEUE)))
                .build(async |probe: Probe| if probe.n == 0 { "a\0b" } else { "plain" }.to_owned())
        }
    });
    run_monitor(&process, monitor, bench.idle()).await;
    let ids = pending.iter().map(|task| task.task_id().unwrap().clone());
    let mut results: Vec<String> = storage
        .wait_for(ids)
        .map(|result: apalis_hot::Result<TaskResult<String>>| result.unwrap().take().unwrap())
        .collect()
        .await;
    results.sort_unstable();
    assert_eq!(results, ["ab", "plain"]);
}
