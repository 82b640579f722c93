//! A worker that has run many jobs takes no more memory than one that has run few. The only test of its process, whose memory
//! it measures.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, and ask what no query of the crate asks"
)]

use std::time::Duration;

use apalis::prelude::{BoxDynError, Monitor, WorkerBuilder};
use apalis_hot::{Options, Process, Settings};
use erp_dev::TestDb;
use sqlx::PgPool;

const JOBS: i32 = 10_000;
/// The most bytes that a job may leave in memory: less than a task, a lease or a payload takes, and more than noise of the
/// allocator.
const MOST_KEPT: i64 = 150;

/// Bytes of memory that this process holds.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    kib.trim().trim_end_matches(" kB").parse::<i64>().unwrap() * 1024
}

async fn work_through(pool: &PgPool, name: &str) {
    let jobs = "insert into queue.jobs (id, queue, run_at, max_attempts, payload) \
                select $2 || n, 'nothings', clock_timestamp(), 1, '0' from generate_series(1, $1) n";
    sqlx::query(jobs).bind(JOBS).bind(name).execute(pool).await.unwrap();
    let process = Process::new(pool, Settings::new(name));
    let queue = process.storage::<u32>(Options { concurrency: 100, ..Options::new("nothings") });
    let monitor = Monitor::new().register(move |_| {
        let nothing = async |_: u32| Ok::<_, BoxDynError>(());
        WorkerBuilder::new("nothings").backend(queue.clone()).build(nothing)
    });
    let pool = pool.clone();
    let done = async move {
        let left = "select count(*) from queue.jobs";
        while sqlx::query_scalar::<_, i64>(left).fetch_one(&pool).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    process.run(monitor, done).await.unwrap();
}

#[tokio::test]
async fn an_attempt_leaves_nothing_in_memory() {
    let db = TestDb::new().await;
    work_through(&db.pool, "first").await;
    let mut grown = Vec::new();
    for round in ["second", "third", "fourth"] {
        let before = resident();
        work_through(&db.pool, round).await;
        grown.push((resident() - before) / i64::from(JOBS));
    }
    // The allocator may keep memory for later, but does not do so in all three rounds.
    let least = grown.iter().min().copied().unwrap();
    assert!(least < MOST_KEPT, "bytes that each job left: {grown:?}");
}
