//! The limit: plain sqlx on a table of three columns.
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use sqlx::postgres::PgPoolOptions;

const BATCH: i64 = 100;

/// The most that Postgres can do: threads that claim a hundred rows and then finish them, a statement each.
pub struct RawWorkers(Vec<std::thread::JoinHandle<()>>, Arc<AtomicBool>);

impl RawWorkers {
    pub fn start(url: &str, processes: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let (url, stop) = (url.to_owned(), stop.clone());
            std::thread::spawn(move || raw_worker(&url, &stop).expect("the raw worker"))
        };
        Self((0..processes).map(one).collect(), stop)
    }
}

impl Drop for RawWorkers {
    fn drop(&mut self) {
        self.1.store(true, Relaxed);
        for thread in self.0.drain(..) {
            let _ = thread.join();
        }
    }
}

fn raw_worker(url: &str, stop: &AtomicBool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
        let take = "update raw_jobs set state = 'running' where id in (select id from raw_jobs where state = 'ready' \
            order by id limit $1 for update skip locked) returning id";
        while !stop.load(Relaxed) {
            let taken: Vec<i64> = sqlx::query_scalar(take).bind(BATCH).fetch_all(&pool).await?;
            if taken.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            sqlx::query("update raw_jobs set state = 'done' where id = any($1)").bind(&taken).execute(&pool).await?;
        }
        Ok(())
    })
}
