//! A queue that is measured, and its tables.
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::AtomicU64,
};

use erp_bench::Child;
use erp_core::{
    Config, Ctx,
    config::Env,
    documents::jobs::DeleteFiles,
    jobs::{Job as _, enqueue},
};
use erp_dev::Postgres;
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

use crate::{CONCURRENCY, FINISHED, Kind, peers::Peers};

/// Connections that enqueue at once.
pub const LANES: u32 = 8;

/// A queue that is measured, in a database of its own.
pub struct Side {
    pub name: &'static str,
    pub url: String,
    pub pool: PgPool,
    pub ctx: Ctx,
    pub kind: Kind,
    /// Our worker program.
    pub worker: PathBuf,
    /// The file to which the workers of peers write latencies.
    pub file: PathBuf,
    /// Milliseconds that the last count of jobs took.
    pub counted: AtomicU64,
}

impl Side {
    pub async fn open(
        name: &'static str,
        kind: Kind,
        cluster: &Postgres,
        dir: &Path,
        peers: &Peers,
        worker: &Path,
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
        let worker = worker.to_owned();
        Ok(Self { name, url, pool, ctx, kind, worker, file, counted: AtomicU64::new(0) })
    }

    /// Starts worker processes on this queue; none for the raw table, whose workers are threads of this program.
    pub fn workers(&self, processes: usize, peers: &Peers) -> anyhow::Result<Vec<Child>> {
        let start = |_| {
            let mut command = match self.kind {
                Kind::Raw | Kind::Row => return None,
                Kind::Ours => ours(&self.worker, &self.url, &self.file),
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

    /// Adds `jobs` ready jobs, which do nothing.
    pub async fn fill(&self, jobs: i64) -> anyhow::Result<()> {
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

    /// How many jobs have not ended.
    pub async fn left(&self) -> anyhow::Result<i64> {
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

    /// Removes all jobs, but not the rows of [`Self::fill_finished`].
    pub async fn empty(&self) -> anyhow::Result<()> {
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

    pub async fn forget_finished(&self) -> anyhow::Result<()> {
        sqlx::raw_sql("delete from queue.ended").execute(&self.pool).await?;
        sqlx::raw_sql("vacuum").execute(&self.pool).await?;
        Ok(())
    }

    /// Adds rows of finished jobs to our table of ended jobs.
    pub async fn fill_finished(&self) -> anyhow::Result<()> {
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
pub async fn put(ctx: &Ctx, kind: Kind) -> anyhow::Result<()> {
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

/// The command of one of our workers, which serves this queue only.
fn ours(program: &Path, url: &str, near: &Path) -> Command {
    let mut command = Command::new(program);
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
