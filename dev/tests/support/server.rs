//! A Postgres of one test, which can be stopped, killed and moved.
use erp_dev::postgres::{Config, Postgres};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, postgres::PgPoolOptions};

use super::{System, faults::free_port};

pub struct Server {
    config: Config,
    running: Option<Postgres>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server with an empty database `erp`.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            guard: || Ok(env!("CARGO_BIN_EXE_erp-dev").into()),
            ..Config::durable(folder.path())
        };
        let postgres = Postgres::start(&config).unwrap();
        config.port = Some(postgres.port());
        let server = Self { config, running: Some(postgres), _folder: folder };
        server.run_on("postgres", "create database erp").await;
        server
    }

    pub async fn system(&self) -> System {
        self.system_with(&[]).await
    }

    /// A migrated system on this server, with these settings, which override the others.
    pub async fn system_with(&self, settings: &[(&str, &str)]) -> System {
        let url = self.url();
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&url).unwrap();
        erp_core::migrate(&pool).await.unwrap();
        System::on_with(url, pool, settings, None).await
    }

    pub fn url(&self) -> String {
        self.running.as_ref().unwrap().url("erp")
    }

    pub fn port(&self) -> u16 {
        self.config.port.unwrap()
    }

    /// Runs each statement by itself, as the superuser.
    pub async fn run(&self, statements: &[&str]) {
        for statement in statements {
            self.run_on("erp", statement).await;
        }
    }

    async fn run_on(&self, database: &str, statement: &str) {
        let url = self.running.as_ref().unwrap().url(database);
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.unwrap();
    }

    pub fn stop(&mut self) {
        drop(self.running.take());
    }

    pub fn start_again(&mut self) {
        self.running = Some(Postgres::start(&self.config).unwrap());
    }

    /// Starts the server again with the same data on another port.
    pub fn start_elsewhere(&mut self) {
        self.config.port = Some(free_port());
        self.start_again();
    }

    /// Shuts down immediately, as in a power cut.
    #[cfg(unix)]
    pub fn quit(&self) {
        let dir = self.running.as_ref().unwrap().dir();
        let file = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::QUIT).unwrap();
    }
}
