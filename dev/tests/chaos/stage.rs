//! The whole system, with a separate network between each two parts: Postgres, the API, the workers, the mail server, the disk.
use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use erp_dev::{
    faults::{Proxy, SmallDisk},
    mail_sink::relay::Relay,
};
use sqlx::postgres::PgPoolOptions;

use super::plan::Plan;
use crate::support::{Program, System, faults::through, server::Server};

/// Enough for the uploads of a long run.
const DISK_MEBIBYTES: u32 = 256;

pub struct Stage {
    pub workers: Vec<Worker>,
    pub system: System,
    pub relay: Relay,
    pub people: Vec<i64>,
    /// Between the workers and the mail server.
    pub smtp: Proxy,
    /// Between the API and Postgres.
    pub api: Proxy,
    /// Between this test and Postgres: it always leads to the current Postgres, and never fails.
    pub back_door: Proxy,
    pub server: Server,
    pub disk: Option<SmallDisk>,
    /// The time at which each process was killed, by process id.
    pub killed: HashMap<u32, DateTime<Utc>>,
    admin: String,
}

/// A worker, which is replaced when it is killed, and its network to Postgres.
pub struct Worker {
    pub program: Program,
    pub database: Proxy,
    settings: [(&'static str, String); 2],
}

impl Worker {
    pub fn start(&mut self, system: &System) {
        self.program = Self::program(system, &self.settings);
    }

    fn program(system: &System, settings: &[(&'static str, String)]) -> Program {
        let settings: Vec<_> =
            settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        system.worker_with(&settings)
    }
}

impl Stage {
    pub async fn set(plan: &Plan) -> Self {
        let server = Server::start().await;
        let proxy = async || Proxy::start(server.port()).await.unwrap();
        let (api, back_door) = (proxy().await, proxy().await);
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy(&through(&server.url(), &back_door, ""))
            .unwrap();
        erp_core::migrate(&pool).await.unwrap();
        let disk = SmallDisk::mount(DISK_MEBIBYTES)
            .inspect_err(|error| println!("NOT RUN, no disk can be mounted here: {error:#}"))
            .ok();
        let folder = disk.as_ref().map(|disk| disk.path().display().to_string());
        let settings: Vec<_> = [("EMAILS_GROUP_SECONDS", plan.gather)]
            .into_iter()
            .chain(folder.as_deref().map(|folder| ("UPLOAD_DIRECTORY", folder)))
            .collect();
        let url = through(&server.url(), &api, "");
        let system = System::on_with(url, pool, &settings, None).await;

        let relay = Relay::start().unwrap();
        let smtp = Proxy::start(relay.port()).await.unwrap();
        let mut workers = Vec::new();
        for _ in 0..plan.workers {
            let database = proxy().await;
            let settings = [
                ("DATABASE_URL", through(&server.url(), &database, "")),
                ("SMTP_PORT", smtp.port().to_string()),
            ];
            let program = Worker::program(&system, &settings);
            workers.push(Worker { program, database, settings });
        }
        let (admin, people) = (system.admin().await, system.people(plan.people).await);
        let killed = HashMap::new();
        Self { workers, system, relay, people, smtp, api, back_door, server, disk, killed, admin }
    }

    /// The networks between the programs and Postgres.
    pub fn networks(&self) -> impl Iterator<Item = &Proxy> {
        self.workers.iter().map(|worker| &worker.database).chain([&self.api])
    }

    /// The folder of the uploads.
    pub fn files(&self) -> &Path {
        self.disk.as_ref().map_or(self.system.files.path(), SmallDisk::path)
    }

    /// Waits until all jobs have ended. With `hurries` jobs do not wait for their next attempt.
    pub async fn until_all_ended(&self, hurries: bool) {
        let started = Instant::now();
        loop {
            if hurries {
                self.hurry().await;
            }
            let open = sqlx::query_scalar!(r#"select count(*) as "count!" from queue.jobs"#);
            if let Ok(0) = open.fetch_one(&self.system.ctx.pool).await {
                return;
            }
            assert!(started.elapsed() < Duration::from_mins(20), "jobs are stuck");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// As an operator, makes the jobs that wait for their next attempt ready.
    async fn hurry(&self) {
        self.operate("jobs/retry?state=retrying").await;
    }

    /// As an operator, runs the purge now; returns when all jobs have ended.
    pub async fn purge(&self) {
        self.operate("schedules/maintenance.purge/run").await;
        self.until_all_ended(true).await;
    }

    async fn operate(&self, path: &str) {
        let url = format!("{}/admin/{path}", self.system.url);
        let response = self.system.client.post(url).bearer_auth(&self.admin).send().await;
        assert!(response.unwrap().status().is_success());
    }
}
