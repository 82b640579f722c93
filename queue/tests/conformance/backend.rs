//! What apalis and its tools see.
use apalis::prelude::{
    Expose, Filter, ListAllTasks, ListQueues, ListTasks, ListWorkers, Metrics, Monitor, Status,
    TaskBuilder, TaskSink, WaitForCompletion, WorkerBuilder,
};
use apalis_core::backend::{FetchById, TaskResult, finalize::Durable};
use apalis_hot::{Options, Storage};
use futures_util::StreamExt as _;

use crate::support::{Bench, Probe, QUEUE, handler, run_monitor, until};

/// A board can show this backend, and push to it.
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
