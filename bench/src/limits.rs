//! The limits that the figures are compared with. Each is measured in a process of its own, since the API is one, too.
use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use argon2::{Algorithm, Argon2, Params, Version};
use axum::{Router, extract::State, routing::get};
use erp_core::{
    Clock,
    input::{Fields, Source},
    interventions::{self, InterventionFilter},
    scope::Scope,
    users,
};
use futures_util::future::try_join_all;
use sqlx::PgPool;
use tokio::net::TcpListener;

use crate::{Child, System, cores, opening};

/// The first argument of a process that measures a limit instead of running the benchmark.
const ROLE: &str = "__limit";

/// A limit that is measured over HTTP.
#[derive(Debug)]
pub struct Server {
    pub address: std::net::SocketAddr,
    _process: Child,
}

/// The limits of one benchmark.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'a> {
    pub system: &'a System,
    /// How many clients run at once.
    pub clients: usize,
    /// How long a measurement takes.
    pub time: Duration,
}

impl Limits<'_> {
    /// Starts an axum server whose `/` answers a constant, and whose `/sqlx` runs the statements of [`Self::sqlx`] and answers a
    /// constant.
    pub fn server(&self) -> anyhow::Result<Server> {
        let (process, line) = self.start("server")?;
        Ok(Server { address: line.parse()?, _process: process })
    }

    /// How often a second the two statements of `GET /interventions/{id}` (the caller's account, the row) run.
    pub fn sqlx(&self) -> anyhow::Result<f64> {
        Ok(self.start("sqlx")?.1.parse()?)
    }

    /// How often a second the statements of `GET /interventions?limit=50` (the page, its total) run.
    pub fn page(&self) -> anyhow::Result<f64> {
        Ok(self.start("page")?.1.parse()?)
    }

    /// How often a second the statements of `POST /interventions` run, for one technicien a client.
    pub fn opening(&self) -> anyhow::Result<f64> {
        Ok(self.start("opening")?.1.parse()?)
    }

    /// Argon2 hashes a second on all cores, without anything around them.
    pub fn argon2(&self) -> anyhow::Result<f64> {
        Ok(self.start("argon2")?.1.parse()?)
    }

    fn start(&self, role: &str) -> anyhow::Result<(Child, String)> {
        let mut command = Command::new(std::env::current_exe()?);
        let numbers = [self.system.user_id, self.system.intervention_id].map(|n| n.to_string());
        command.args([ROLE, role, &self.system.database_url]).args(numbers);
        command.arg(self.clients.to_string()).arg(self.time.as_millis().to_string());
        let mut process = Child::start(command.stdout(Stdio::piped()))?;
        let output = process.output().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        Ok((process, line.trim().to_owned()))
    }
}

/// Measures a limit if this process was started for it, and returns `true`; returns `false` if it is the benchmark itself.
pub async fn is_limit() -> anyhow::Result<bool> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [marker, role, url, user, intervention, clients, millis] = args.as_slice() else {
        return Ok(false);
    };
    if marker != ROLE {
        return Ok(false);
    }
    let (user, intervention, clients): (i64, i64, usize) =
        (user.parse()?, intervention.parse()?, clients.parse()?);
    let time = Duration::from_millis(millis.parse()?);
    match role.as_str() {
        "server" => serve(url, user, intervention).await?,
        "sqlx" => {
            println!("{}", again(url, Work::Row { user, intervention }, clients, time).await?);
        }
        "page" => println!("{}", again(url, Work::Page, clients, time).await?),
        "opening" => {
            println!("{}", opening::per_second(&pool(url).await?, user, clients, time).await?);
        }
        "argon2" => println!("{}", hash(time)?),
        _ => bail!("no limit is called {role}"),
    }
    Ok(true)
}

/// A pool of as many connections as the API has by default.
async fn pool(url: &str) -> anyhow::Result<PgPool> {
    let options =
        sqlx::postgres::PgPoolOptions::new().max_connections(20).test_before_acquire(false);
    Ok(options.connect(url).await?)
}

async fn serve(url: &str, user: i64, intervention: i64) -> anyhow::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let work = Work::Row { user, intervention };
    let sqlx = async move |State(pool): State<PgPool>| match work.run(&pool).await {
        Ok(()) => Ok("ok"),
        Err(error) => Err(error.to_string()),
    };
    let router = Router::new().route("/", get(async || "ok")).route("/sqlx", get(sqlx));
    axum::serve(listener, router.with_state(pool(url).await?)).await?;
    Ok(())
}

/// The statements of a request.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// An account and an intervention.
    Row { user: i64, intervention: i64 },
    /// Fifty interventions, and how many there are.
    Page,
}

impl Work {
    async fn run(self, pool: &PgPool) -> anyhow::Result<()> {
        match self {
            Self::Row { user, intervention } => {
                users::find_account(pool, user).await?.context("no account")?;
                interventions::find(pool, intervention, Scope::All).await?;
            }
            Self::Page => {
                let sent = vec![("limit".to_owned(), "50".to_owned())];
                let filter: InterventionFilter = Fields::pairs(Source::Query, sent).parse()?;
                let listed =
                    interventions::list(pool, &filter, Scope::All, Clock::default().now()).await?;
                ensure!(listed.rows.len() == 50, "{} rows", listed.rows.len());
            }
        }
        Ok(())
    }
}

/// How often a second `work` is done by `clients` tasks.
async fn again(url: &str, work: Work, clients: usize, time: Duration) -> anyhow::Result<f64> {
    let pool = pool(url).await?;
    let started = Instant::now();
    let counts = try_join_all((0..clients).map(|_| {
        let pool = pool.clone();
        // One task for each client, so that all cores are used, as by the API's requests.
        let work = async move {
            let mut count = 0_u32;
            while started.elapsed() < time {
                work.run(&pool).await?;
                count += 1;
            }
            anyhow::Ok(count)
        };
        #[expect(clippy::disallowed_methods, reason = "a load, not work that must happen")]
        tokio::spawn(work)
    }))
    .await?;
    let count: u32 = counts.into_iter().sum::<anyhow::Result<u32>>()?;
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

fn hash(time: Duration) -> anyhow::Result<f64> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(|error| anyhow::anyhow!("{error}"))?;
    let started = Instant::now();
    let threads: Vec<_> = (0..cores())
        .map(|_| {
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
            thread::spawn(move || {
                let mut memory = vec![argon2::Block::new(); argon2.params().block_count()];
                let (mut count, mut out) = (0_u32, [0; 32]);
                while started.elapsed() < time {
                    let hashed = argon2.hash_password_into_with_memory(
                        b"pompe bleue",
                        b"sel de la mer",
                        &mut out,
                        &mut memory,
                    );
                    count += u32::from(hashed.is_ok());
                }
                count
            })
        })
        .collect();
    let count: u32 = threads.into_iter().map(|thread| thread.join().unwrap_or_default()).sum();
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}
