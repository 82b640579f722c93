//! The measurements of a side.
use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use anyhow::ensure;

use crate::{
    Kind, LOADS, MANY, ROUNDS, SNAPSHOT_ROUNDS,
    peers::Peers,
    raw::RawWorkers,
    side::{LANES, Side, put},
};

/// How long a run may take; longer than any here does.
const LIMIT: Duration = Duration::from_mins(3);
const ENQUEUED: u32 = 12_000;

impl Side {
    /// Jobs enqueued a second, each in a transaction of its own.
    pub async fn enqueue_rate(&self, kind: Kind, peers: &Peers) -> anyhow::Result<f64> {
        let count = ENQUEUED.to_string();
        match kind {
            Kind::Graphile(_) | Kind::Procrastinate => {
                let said = peers.run(kind, &self.url, &["enqueue", &count, &LANES.to_string()])?;
                let rate = said.trim().parse()?;
                self.empty().await?;
                return Ok(rate);
            }
            Kind::Ours | Kind::Row | Kind::Raw => {}
        }
        let started = Instant::now();
        let mut lanes = tokio::task::JoinSet::new();
        for _ in 0..LANES {
            let ctx = self.ctx.clone();
            lanes.spawn(async move {
                for _ in 0..ENQUEUED / LANES {
                    put(&ctx, kind).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(done) = lanes.join_next().await {
            done??;
        }
        let rate = f64::from(ENQUEUED) / started.elapsed().as_secs_f64();
        self.empty().await?;
        Ok(rate)
    }

    /// Jobs a second that `processes` worker processes do, of `jobs` that wait already.
    pub async fn work_rate(
        &self,
        processes: usize,
        jobs: i64,
        peers: &Peers,
    ) -> anyhow::Result<f64> {
        self.fill(jobs).await?;
        let raw = (self.kind == Kind::Raw).then(|| RawWorkers::start(&self.url, processes));
        let workers = self.workers(processes, peers)?;
        let (first, begun) = self.begin(jobs).await?;
        let (mut left, mut until) = (first, begun);
        // Up to the last count that found jobs: when exactly the last job ended, between that count and the next, is not known.
        loop {
            ensure!(begun.elapsed() < LIMIT, "{}: {left} jobs left", self.name);
            let (count, at) = self.left_later().await?;
            if count > 0 || left == first {
                (left, until) = (count, at);
            }
            if count == 0 {
                break;
            }
        }
        drop((workers, raw));
        self.empty().await?;
        let seconds = until.duration_since(begun).as_secs_f64();
        Ok(f64::from(i32::try_from(first - left)?) / seconds)
    }

    /// Waits until some of `jobs` are done. Returns how many are left, and when they were counted.
    async fn begin(&self, jobs: i64) -> anyhow::Result<(i64, Instant)> {
        let started = Instant::now();
        loop {
            ensure!(started.elapsed() < LIMIT, "{}: nothing was done", self.name);
            let (left, at) = self.left_later().await?;
            if left < jobs {
                return Ok((left, at));
            }
        }
    }

    /// Jobs a second with [`MANY`] ready, of which most are still left at the end; counted only at the start and the end.
    pub async fn rate_of_many(&self, peers: &Peers) -> anyhow::Result<f64> {
        self.fill(MANY).await?;
        let raw = (self.kind == Kind::Raw).then(|| RawWorkers::start(&self.url, 2));
        let workers = self.workers(2, peers)?;
        let (first, begun) = self.begin(MANY).await?;
        tokio::time::sleep(Duration::from_secs(8)).await;
        let seconds = begun.elapsed().as_secs_f64();
        let done = first - self.left().await?;
        drop((workers, raw));
        self.empty().await?;
        Ok(f64::from(i32::try_from(done)?) / seconds)
    }

    /// Like a backup, keeps one snapshot open while the queue is filled and emptied again and again. Returns the rates of the last
    /// rounds, and how long jobs wait at the end of that.
    pub async fn beside_a_snapshot(
        &self,
        peers: &Peers,
    ) -> anyhow::Result<(Vec<f64>, Option<Vec<f64>>)> {
        let mut snapshot = self.pool.begin().await?;
        sqlx::raw_sql(
            "set transaction isolation level repeatable read; select count(*) from pg_class",
        )
        .execute(&mut *snapshot)
        .await?;
        let mut rates = Vec::new();
        for _ in 0..SNAPSHOT_ROUNDS {
            rates.push(self.work_rate(2, self.kind.jobs(), peers).await?);
        }
        eprintln!("{}, beside a snapshot: {rates:.0?}", self.name);
        // Lasts two minutes, so that the effect of what happens once a minute shows.
        let (_, _, pause) = LOADS[1];
        let waits = self.waits(60_000, pause, peers).await?;
        snapshot.rollback().await?;
        self.empty().await?;
        Ok((rates.split_off(SNAPSHOT_ROUNDS - ROUNDS), waits))
    }

    /// The sorted times in ms from enqueueing to the start of the job. `None` for the raw table, whose workers only poll.
    pub async fn waits(
        &self,
        count: usize,
        pause: u64,
        peers: &Peers,
    ) -> anyhow::Result<Option<Vec<f64>>> {
        if self.kind == Kind::Raw {
            return Ok(None);
        }
        std::fs::write(&self.file, "")?;
        let _workers = self.workers(1, peers)?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut waits: Vec<f64> = if self.kind == Kind::Ours {
            let mut putting = tokio::task::JoinSet::new();
            let mut pace = tokio::time::interval(Duration::from_millis(pause));
            for _ in 0..count {
                pace.tick().await;
                let ctx = self.ctx.clone();
                putting.spawn(async move { put(&ctx, Kind::Ours).await });
            }
            while let Some(done) = putting.join_next().await {
                done??;
            }
            while self.left().await? > 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let waits = "select extract(epoch from started_at - created_at)::float8 * 1000 from queue.ended";
            sqlx::query_scalar(waits).fetch_all(&self.pool).await?
        } else {
            peers.run(
                self.kind,
                &self.url,
                &["trickle", &count.to_string(), &pause.to_string()],
            )?;
            let deadline = Instant::now() + Duration::from_mins(2);
            loop {
                let text = std::fs::read_to_string(&self.file)?;
                let waits: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
                if waits.len() >= count || Instant::now() > deadline {
                    break waits;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        self.empty().await?;
        waits.sort_by(f64::total_cmp);
        Ok(Some(waits))
    }

    /// Waits, then counts the jobs that are left; also returns when the count began. Counting slows down what is measured, all the
    /// more in a table full of dead rows, so the pause is twenty times as long as the count before.
    async fn left_later(&self) -> anyhow::Result<(i64, Instant)> {
        let pause = self.counted.load(Relaxed).max(5) * 20;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let begun = Instant::now();
        let left = self.left().await?;
        let took = u64::try_from(begun.elapsed().as_millis())?;
        self.counted.store(took, Relaxed);
        Ok((left, begun))
    }
}
