//! The queue beside its limit and its peers, on one Postgres that keeps every commit: what it takes in, what it gets done,
//! how long a job waits.
//!
//! Every side does nothing in its jobs. Ours are real `erp-worker` processes on `documents.delete` with no file to delete;
//! the limit is plain sqlx on a table of three columns; graphile-worker and procrastinate run as their pages say.
#![expect(
    clippy::disallowed_methods,
    reason = "tables of others, that our schema does not have; and connections, not work that must happen"
)]

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::ensure;
use erp_bench::{Child, Report, median};
use erp_core::{
    Config, Ctx,
    config::Env,
    documents::jobs::DeleteFiles,
    jobs::{Job as _, enqueue},
};
use erp_dev::{Postgres, postgres};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

/// Longer than anything here takes.
const LIMIT: Duration = Duration::from_mins(3);
const LANES: u32 = 8;
const ENQUEUED: u32 = 4_000;
const PROCESSES: [usize; 3] = [1, 2, 4];
const FINISHED: i64 = 1_000_000;
/// Jobs that are ready at once, where that is what is measured.
const MANY: i64 = 1_000_000;
/// Of which the middle one counts.
const ROUNDS: usize = 3;
/// How often the queue is filled and emptied while one snapshot is open.
const SNAPSHOT_ROUNDS: usize = 10;
/// Name, jobs, and the pause between two of them in ms.
const LOADS: [(&str, usize, u64); 2] = [("idle", 200, 25), ("500 a second", 5_000, 2)];
/// Of each worker process; for ours and the peers alike.
const CONCURRENCY: usize = 100;
const BATCH: i64 = 100;

/// A queue under measure.
struct Side {
    name: &'static str,
    url: String,
    pool: PgPool,
    ctx: Ctx,
    kind: Kind,
    /// Where latencies are written.
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Ours,
    Raw,
    /// Nothing but the insert of one of our rows, by plain sqlx.
    Row,
    Graphile(&'static str),
    Procrastinate,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let config = postgres::Config {
        guard: erp_bench::guard,
        ..postgres::Config::durable(dir.path().join("postgres"))
    };
    let cluster = tokio::task::spawn_blocking(move || Postgres::start(&config)).await??;
    let peers = Peers::install()?;
    let sides = [
        ("erp", Kind::Ours),
        ("raw sqlx, batches of 100", Kind::Raw),
        ("graphile-worker, local queue of 500", Kind::Graphile("batched")),
        ("graphile-worker", Kind::Graphile("plain")),
        ("procrastinate", Kind::Procrastinate),
    ];
    let mut open = Vec::new();
    for (name, kind) in sides {
        open.push(Side::open(name, kind, &cluster, dir.path(), &peers).await?);
    }
    let table = measure(&open, &peers).await?;
    let mut report = Report::default();
    for (what, figures) in table {
        let ours = figures.iter().find(|(kind, _)| *kind == Kind::Ours);
        let beside: Vec<_> = figures
            .iter()
            .filter(|(kind, _)| *kind != Kind::Ours)
            .map(|(kind, figure)| {
                let name = sides
                    .iter()
                    .find(|(_, k)| k == kind)
                    .map_or("raw insert of the same row", |(name, _)| *name);
                format!("{figure:.1} {name}")
            })
            .collect();
        let ours = ours.map_or_else(String::new, |(_, figure)| format!("{figure:.1}"));
        report.line(&what, ours, beside.join("; "), "");
    }
    report.print();
    Ok(())
}

/// What was measured, and the figure of each side that can do it.
type Table = Vec<(String, Vec<(Kind, f64)>)>;

/// Every figure, the sides in turns: what else the machine does meets all alike.
async fn measure(sides: &[Side], peers: &Peers) -> anyhow::Result<Table> {
    let mut table: Table = Vec::new();
    let mut keep = |what: String, figures: Vec<(Kind, Vec<f64>)>| {
        let figures: Vec<_> = figures.into_iter().map(|(kind, all)| (kind, median(all))).collect();
        eprintln!("{what}: {figures:?}");
        table.push((what, figures));
    };
    let mut rates: Vec<(Kind, Vec<f64>)> =
        sides.iter().map(|side| (side.kind, Vec::new())).collect();
    rates.push((Kind::Row, Vec::new()));
    for _ in 0..ROUNDS {
        for (side, (_, rates)) in sides.iter().zip(&mut rates) {
            rates.push(side.enqueue_rate(side.kind, peers).await?);
        }
        let rate = sides[0].enqueue_rate(Kind::Row, peers).await?;
        rates[sides.len()].1.push(rate);
    }
    keep("enqueued a second, one transaction each, 8 at once".into(), rates);
    for processes in PROCESSES {
        let mut rates: Vec<_> = sides.iter().map(|side| (side.kind, Vec::new())).collect();
        for _ in 0..ROUNDS {
            for (side, (_, rates)) in sides.iter().zip(&mut rates) {
                rates.push(side.work_rate(processes, side.kind.jobs(), peers).await?);
            }
        }
        keep(format!("no-op jobs a second, {processes} processes"), rates);
    }
    for (load, count, pause) in LOADS {
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for side in sides {
            let Some(waits) = side.waits(count, pause, peers).await? else { continue };
            p50.push((side.kind, vec![quantile(&waits, 50)]));
            p99.push((side.kind, vec![quantile(&waits, 99)]));
        }
        keep(format!("ms from enqueue to start, {load}, p50"), p50);
        keep(format!("ms from enqueue to start, {load}, p99"), p99);
    }
    let quick = &sides[..3];
    let mut rates = Vec::new();
    for side in quick {
        rates.push((side.kind, vec![side.rate_of_many(peers).await?]));
    }
    keep(format!("no-op jobs a second, 2 processes, {MANY} ready"), rates);
    let (mut rates, mut p99) = (Vec::new(), Vec::new());
    for side in quick {
        let (last, waits) = side.beside_a_snapshot(peers).await?;
        rates.push((side.kind, last));
        p99.extend(waits.map(|waits| (side.kind, vec![quantile(&waits, 99)])));
    }
    keep(
        format!(
            "no-op jobs a second, 2 processes, the last of {SNAPSHOT_ROUNDS} rounds beside an open snapshot"
        ),
        rates,
    );
    keep("ms from enqueue to start, 500 a second, p99, the snapshot still open".into(), p99);
    sides[0].fill_finished().await?;
    let mut finished = Vec::new();
    for _ in 0..ROUNDS {
        finished.push(sides[0].work_rate(2, Kind::Ours.jobs(), peers).await?);
    }
    keep(
        format!("no-op jobs a second, 2 processes, {FINISHED} finished rows"),
        vec![(Kind::Ours, finished)],
    );
    Ok(table)
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

impl Kind {
    /// That wait to be done, so that each side has seconds to show what it can.
    fn jobs(self) -> i64 {
        match self {
            Self::Ours | Self::Raw | Self::Row | Self::Graphile("batched") => 40_000,
            Self::Graphile(_) => 10_000,
            Self::Procrastinate => 3_000,
        }
    }
}

impl Side {
    async fn open(
        name: &'static str,
        kind: Kind,
        cluster: &Postgres,
        dir: &Path,
        peers: &Peers,
    ) -> anyhow::Result<Self> {
        let database = format!("side_{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
        let admin =
            PgPoolOptions::new().max_connections(1).connect(&cluster.url("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("create database {database}"))).execute(&admin).await?;
        admin.close().await;
        let url = cluster.url(&database);
        let pool = PgPoolOptions::new().max_connections(LANES).connect(&url).await?;
        match kind {
            Kind::Ours | Kind::Row => erp_core::migrate(&pool).await?,
            Kind::Raw => {
                let table = "create table raw_jobs (id bigint generated always as identity primary key, payload jsonb not null, \
                    state text not null default 'ready'); create index on raw_jobs (id) where state = 'ready'";
                sqlx::raw_sql(table).execute(&pool).await?;
            }
            Kind::Graphile(_) | Kind::Procrastinate => {
                peers.run(kind, &url, &["migrate"])?;
            }
        }
        let file = dir.join(format!("{database}.waits"));
        std::fs::write(&file, "")?;
        let files = dir.display().to_string();
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("SECRET_KEY", "the key of benchmarks, long enough to sign"),
            ("UPLOAD_DIRECTORY", &files),
        ];
        let config = Config::read(Env::from_pairs(&settings))
            .map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let ctx = Ctx::with_pool(config, pool.clone())?;
        Ok(Self { name, url, pool, ctx, kind, file })
    }

    /// Jobs a second, each in a transaction of its own.
    async fn enqueue_rate(&self, kind: Kind, peers: &Peers) -> anyhow::Result<f64> {
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

    /// Jobs a second that `processes` get done of `jobs` that wait already.
    async fn work_rate(&self, processes: usize, jobs: i64, peers: &Peers) -> anyhow::Result<f64> {
        self.fill(jobs).await?;
        let raw = (self.kind == Kind::Raw).then(|| RawWorkers::start(&self.url, processes));
        let workers = self.workers(processes, peers)?;
        let (first, begun) = self.begin(jobs).await?;
        let mut left = first;
        while left > 0 {
            ensure!(begun.elapsed() < LIMIT, "{}: {left} jobs left", self.name);
            // Counting costs what is measured: not often.
            tokio::time::sleep(Duration::from_millis(100)).await;
            left = self.left().await?;
        }
        let seconds = begun.elapsed().as_secs_f64();
        drop((workers, raw));
        self.empty().await?;
        Ok(f64::from(i32::try_from(first)?) / seconds)
    }

    /// Waits until the first of `jobs` are done; how many are left then, and when that was.
    async fn begin(&self, jobs: i64) -> anyhow::Result<(i64, Instant)> {
        let started = Instant::now();
        loop {
            ensure!(started.elapsed() < LIMIT, "{}: nothing was done", self.name);
            tokio::time::sleep(Duration::from_millis(100)).await;
            let left = self.left().await?;
            if left < jobs {
                return Ok((left, Instant::now()));
            }
        }
    }

    /// Jobs a second, of so many that all are still far from done; counted twice in all.
    async fn rate_of_many(&self, peers: &Peers) -> anyhow::Result<f64> {
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

    /// What a backup does: one snapshot is open while the queue is filled and emptied again and again. The rates of the last
    /// rounds, and how long jobs wait at the end of it.
    async fn beside_a_snapshot(
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
        let (_, count, pause) = LOADS[1];
        let waits = self.waits(count, pause, peers).await?;
        snapshot.rollback().await?;
        self.empty().await?;
        Ok((rates.split_off(SNAPSHOT_ROUNDS - ROUNDS), waits))
    }

    /// Sorted ms from enqueueing to the start of the job; none of the raw table, whose workers only poll.
    async fn waits(
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

    fn workers(&self, processes: usize, peers: &Peers) -> anyhow::Result<Vec<Child>> {
        let start = |_| {
            let mut command = match self.kind {
                Kind::Raw | Kind::Row => return None,
                Kind::Ours => ours(&self.url, &self.file),
                Kind::Graphile(_) | Kind::Procrastinate => {
                    let mut command = peers.command(self.kind, &self.url);
                    command.arg("work").arg(CONCURRENCY.to_string());
                    if let Kind::Graphile(how) = self.kind {
                        command.arg(how);
                    }
                    command.arg(&self.file);
                    command
                }
            };
            Some(Child::start(command.stdout(Stdio::null())))
        };
        (0..processes).filter_map(start).collect()
    }

    async fn fill(&self, jobs: i64) -> anyhow::Result<()> {
        let fill = match self.kind {
            Kind::Ours | Kind::Row => format!(
                "insert into queue.jobs (payload, id, queue, max_attempts, run_at) \
                 select '{{\"keys\":[]}}', lpad(n::text, 26, '0'), '{}', 20, now() - interval '1 hour' + n * interval '1 microsecond' \
                 from generate_series(1, {jobs}) n",
                DeleteFiles::QUEUE
            ),
            Kind::Raw => format!(
                "insert into raw_jobs (payload) select '{{}}' from generate_series(1, {jobs})"
            ),
            Kind::Graphile(_) => format!(
                "select count(*) from graphile_worker.add_jobs(array(select json_populate_record(\
                 null::graphile_worker.job_spec, '{{\"identifier\":\"noop\",\"payload\":{{}}}}') from generate_series(1, {jobs})))"
            ),
            Kind::Procrastinate => format!(
                "insert into procrastinate_jobs (queue_name, task_name, args, status) \
                 select 'default', 'noop', '{{}}', 'todo' from generate_series(1, {jobs})"
            ),
        };
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&self.pool).await?;
        sqlx::raw_sql("analyze").execute(&self.pool).await?;
        Ok(())
    }

    async fn left(&self) -> anyhow::Result<i64> {
        let left = match self.kind {
            Kind::Ours | Kind::Row => "select count(*) from queue.jobs",
            Kind::Raw => "select count(*) from raw_jobs where state = 'ready'",
            Kind::Graphile(_) => "select count(*) from graphile_worker._private_jobs",
            Kind::Procrastinate => {
                "select count(*) from procrastinate_jobs where status in ('todo', 'doing')"
            }
        };
        Ok(sqlx::query_scalar(left).fetch_one(&self.pool).await?)
    }

    async fn empty(&self) -> anyhow::Result<()> {
        let empty = match self.kind {
            Kind::Ours | Kind::Row => {
                "delete from queue.jobs; delete from queue.ended where id not like 'finished-%'"
            }
            Kind::Raw => "delete from raw_jobs",
            Kind::Graphile(_) => "delete from graphile_worker._private_jobs",
            Kind::Procrastinate => "delete from procrastinate_jobs",
        };
        sqlx::raw_sql(empty).execute(&self.pool).await?;
        sqlx::raw_sql("vacuum").execute(&self.pool).await?;
        Ok(())
    }

    async fn fill_finished(&self) -> anyhow::Result<()> {
        let fill = format!(
            "insert into queue.ended (payload, id, queue, outcome, attempts, max_attempts, rescues, run_at, created_at, ended_at) \
             select '{{\"keys\":[]}}', 'finished-' || n, '{}', 'done', 1, 20, 0, now(), now(), now() from generate_series(1, {FINISHED}) n",
            DeleteFiles::QUEUE
        );
        sqlx::raw_sql(AssertSqlSafe(fill)).execute(&self.pool).await?;
        sqlx::raw_sql("vacuum analyze").execute(&self.pool).await?;
        Ok(())
    }
}

/// Enqueues one job in a transaction of its own.
async fn put(ctx: &Ctx, kind: Kind) -> anyhow::Result<()> {
    if kind == Kind::Raw {
        sqlx::query("insert into raw_jobs (payload) values ('{}')").execute(&ctx.pool).await?;
        return Ok(());
    }
    if kind == Kind::Row {
        let row = "insert into queue.jobs (id, queue, run_at, max_attempts, metadata, payload) values ($1, $2, clock_timestamp(), 20, null, $3)";
        let id = format!("{:026x}", uuid::Uuid::now_v7().as_u128() >> 24);
        sqlx::query(row)
            .bind(id)
            .bind(DeleteFiles::QUEUE)
            .bind(br#"{"keys":[]}"#.as_slice())
            .execute(&ctx.pool)
            .await?;
        return Ok(());
    }
    let mut tx = ctx.begin().await?;
    enqueue(&mut tx, &DeleteFiles { keys: Vec::new() }).await?;
    Ok(tx.commit().await?)
}

/// One of our workers, which has nothing but this queue.
fn ours(url: &str, near: &Path) -> Command {
    let target = std::env::current_exe().unwrap_or_default();
    let release = target.ancestors().nth(3).unwrap_or(Path::new("target")).join("release");
    let mut command = Command::new(release.join("erp-worker"));
    command.env_clear().envs([
        ("DATABASE_URL", url),
        ("SECRET_KEY", "the key of benchmarks, long enough to sign"),
        ("WORKER_QUEUES", DeleteFiles::QUEUE),
        ("WORKER_BIND_ADDR", "127.0.0.1:0"),
        ("LOG_LEVEL", "warn"),
        ("ENABLE_SCHEDULER", "false"),
    ]);
    command.env("WORKER_CONCURRENCY", CONCURRENCY.to_string());
    command.env("UPLOAD_DIRECTORY", near.with_extension("uploads"));
    command
}

/// What Postgres gives at the most: take a hundred, finish a hundred.
struct RawWorkers(Vec<std::thread::JoinHandle<()>>, Arc<std::sync::atomic::AtomicBool>);

impl RawWorkers {
    fn start(url: &str, processes: usize) -> Self {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let one = |_| {
            let (url, stop) = (url.to_owned(), stop.clone());
            std::thread::spawn(move || raw_worker(&url, &stop).expect("the raw worker"))
        };
        Self((0..processes).map(one).collect(), stop)
    }
}

impl Drop for RawWorkers {
    fn drop(&mut self) {
        self.1.store(true, std::sync::atomic::Ordering::Relaxed);
        for thread in self.0.drain(..) {
            let _ = thread.join();
        }
    }
}

fn raw_worker(url: &str, stop: &std::sync::atomic::AtomicBool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let pool = PgPoolOptions::new().max_connections(1).connect(url).await?;
        let take = "update raw_jobs set state = 'running' where id in (select id from raw_jobs where state = 'ready' \
            order by id limit $1 for update skip locked) returning id";
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
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

/// The peers, installed from their registries beside the other build products.
struct Peers {
    source: PathBuf,
    home: PathBuf,
}

impl Peers {
    fn install() -> anyhow::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = workspace.join("peers");
        let home = workspace.join("../target/bench-peers");
        std::fs::create_dir_all(&home)?;
        for file in ["package.json", "package-lock.json", "graphile.mjs"] {
            std::fs::copy(source.join(file), home.join(file))?;
        }
        let run = |command: &mut Command| {
            let status = command.current_dir(&home).stdout(Stdio::null()).status()?;
            ensure!(status.success(), "{command:?} failed");
            anyhow::Ok(())
        };
        run(Command::new("npm").args(["ci", "--silent"]))?;
        run(Command::new("python3").args(["-m", "venv", "venv"]))?;
        let wanted = source.join("requirements.txt");
        run(Command::new("venv/bin/pip").args(["install", "-q", "-r"]).arg(wanted))?;
        Ok(Self { source, home })
    }

    fn command(&self, kind: Kind, url: &str) -> Command {
        let mut command = if kind == Kind::Procrastinate {
            let mut command = Command::new(self.home.join("venv/bin/python"));
            command.arg(self.source.join("procrastinate_peer.py"));
            command
        } else {
            let mut command = Command::new("node");
            command.arg(self.home.join("graphile.mjs"));
            command
        };
        command.arg(url.replace("?sslmode=disable", ""));
        command
    }

    fn run(&self, kind: Kind, url: &str, args: &[&str]) -> anyhow::Result<String> {
        let output = self.command(kind, url).args(args).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "a peer failed: {args:?}");
        Ok(String::from_utf8(output.stdout)?)
    }
}
