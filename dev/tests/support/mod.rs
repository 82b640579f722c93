//! An API process, workers on demand, and everything that they need.
#![allow(dead_code, reason = "each test program uses its part")]

pub mod command;
pub mod faults;
pub mod server;

use std::{
    ffi::OsString,
    fs::File,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use erp_core::{
    Config, Ctx, auth,
    config::Env,
    input::{Fields, Input as _},
    users::{self, UserCreate},
};
use erp_dev::{MailSink, TestDb, mail_sink::Message, run::Programs};
use reqwest::{Client, StatusCode, multipart};
#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::PgPool;

/// The variable that tells a process where to write its coverage, if coverage is measured.
pub fn profile() -> Option<(&'static str, OsString)> {
    std::env::var_os(PROFILE).map(|file| (PROFILE, file))
}

const PROFILE: &str = "LLVM_PROFILE_FILE";

/// A process that is ended with the test, in any case.
pub struct Program(Child);

impl Program {
    pub fn start(path: &Path, environment: &[(String, String)]) -> Self {
        let mut command = Command::new(path);
        command.env_clear().env("LOG_LEVEL", "warn").envs(environment.iter().cloned());
        command.envs(profile());
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    /// The same, with its output appended to the file `output`.
    pub fn start_recorded(path: &Path, environment: &[(String, String)], output: &Path) -> Self {
        let mut command = Command::new(path);
        command.env_clear().envs(environment.iter().cloned()).envs(profile()).stdin(Stdio::null());
        let file = File::options().create(true).append(true).open(output).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        Self(command.spawn().unwrap())
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    pub async fn ended(&mut self) -> ExitStatus {
        for _ in 0..3000 {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the process does not end");
    }

    /// Sends SIGTERM, where there are signals, if it still runs, and waits up to five seconds for its end.
    fn end_in_order(&mut self) {
        let begun = Instant::now();
        let mut asked = false;
        while matches!(self.0.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(5) {
            if !asked {
                #[cfg(unix)]
                self.signal(Signal::TERM);
                asked = true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if profile().is_some() {
            // A killed process would not write its coverage.
            self.end_in_order();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An API process, and everything that its workers need.
pub struct System {
    pub programs: Programs,
    pub environment: Vec<(String, String)>,
    pub ctx: Ctx,
    pub client: Client,
    pub url: String,
    pub token: String,
    pub boss_id: i64,
    pub files: tempfile::TempDir,
    sink: Option<MailSink>,
    smtp_port: u16,
    mails: tempfile::TempDir,
    api: Option<Program>,
    _db: Option<TestDb>,
}

impl System {
    pub async fn start() -> Self {
        let db = TestDb::new().await;
        let (url, pool) = (db.url(), db.pool.clone());
        Self { _db: Some(db), ..Self::on(url, pool).await }
    }

    /// The same with these settings, which override the others.
    pub async fn start_with(settings: &[(&str, &str)]) -> Self {
        let db = TestDb::new().await;
        let (url, pool) = (db.url(), db.pool.clone());
        Self { _db: Some(db), ..Self::on_with(url, pool, settings, None).await }
    }

    /// The same on an existing database, with its schema.
    pub async fn on(database_url: String, pool: PgPool) -> Self {
        Self::on_with(database_url, pool, &[], None).await
    }

    /// The same with these settings, and with the output of the API in a file.
    pub async fn on_with(
        database_url: String,
        pool: PgPool,
        settings: &[(&str, &str)],
        output: Option<&Path>,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = erp_dev::run::programs(None, false).await.unwrap();
        let (files, mails) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sink = MailSink::start(([127, 0, 0, 1], 0), mails.path()).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let environment: Vec<(String, String)> = [
            ("DATABASE_URL", database_url),
            ("BIND_ADDR", format!("127.0.0.1:{port}")),
            ("SECRET_KEY", "the key of tests, long enough to sign".to_owned()),
            ("UPLOAD_DIRECTORY", files.path().display().to_string()),
            ("SMTP_HOST", "127.0.0.1".to_owned()),
            ("SMTP_PORT", sink.smtp_port().to_string()),
            ("WORKER_RESCUE_SECONDS", "5".to_owned()),
            ("WORKER_BIND_ADDR", "127.0.0.1:0".to_owned()),
            ("RATE_LIMIT_PER_MINUTE", "0".to_owned()),
            ("EMAILS_GROUP_SECONDS", "0".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .chain(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
        .collect();
        let pairs: Vec<_> = environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let ctx = Ctx::with_pool(Config::read(Env::from_pairs(&pairs)).unwrap(), pool).unwrap();
        let (boss_id, token) = boss(&ctx).await;
        let api = match output {
            Some(output) => Program::start_recorded(&programs.api, &environment, output),
            None => Program::start(&programs.api, &environment),
        };
        let (client, url) = (Client::new(), format!("http://127.0.0.1:{port}"));
        let system = Self {
            programs,
            environment,
            ctx,
            client,
            url,
            token,
            boss_id,
            files,
            smtp_port: sink.smtp_port(),
            sink: Some(sink),
            mails,
            api: Some(api),
            _db: None,
        };
        system.until_served().await;
        system
    }

    async fn until_served(&self) {
        while self.client.get(format!("{}/ready", self.url)).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Restarts the API, which reads its settings and their files again.
    pub async fn restart_api(&mut self) {
        drop(self.api.take());
        self.api = Some(Program::start(&self.programs.api, &self.environment));
        self.until_served().await;
    }

    /// The mails that have arrived.
    pub fn mails(&self) -> Vec<Message> {
        self.sink.as_ref().unwrap().messages().unwrap()
    }

    /// Stops the mail server.
    pub async fn stop_smtp(&mut self) {
        self.sink.take().unwrap().stop().await;
    }

    /// Starts the mail server again, on the same port, with its earlier mails.
    pub fn start_smtp(&mut self) {
        let address = ([127, 0, 0, 1], self.smtp_port);
        self.sink = Some(MailSink::start(address, self.mails.path()).unwrap());
    }

    pub fn worker(&self) -> Program {
        self.worker_with(&[])
    }

    /// Starts a worker with these settings.
    pub fn worker_with(&self, settings: &[(&str, &str)]) -> Program {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment: Vec<_> = self.environment.iter().cloned().chain(settings).collect();
        Program::start(&self.programs.worker, &environment)
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        let request =
            self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    pub async fn intervention(&self) -> Value {
        let nom = uuid::Uuid::new_v4().to_string();
        let machine = json!({"nom": nom, "type": "Pompe", "localisation": "Safi"});
        let machine = self.post("/equipements", machine).await;
        let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine["id"]});
        self.post("/interventions", new).await["id"].clone()
    }

    pub async fn upload(&self, intervention: &Value, photo: Vec<u8>) {
        self.upload_as(intervention, "p.jpg", photo).await;
    }

    /// Uploads a file of any kind under this name; it must be accepted.
    pub async fn upload_as(&self, intervention: &Value, name: &str, bytes: Vec<u8>) {
        assert_eq!(self.try_upload(intervention, name, bytes).await, StatusCode::CREATED);
    }

    /// The same, but returns the status whatever it is.
    pub async fn try_upload(&self, intervention: &Value, name: &str, bytes: Vec<u8>) -> StatusCode {
        let part = multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = multipart::Form::new().part("file", part);
        let url = format!("{}/documents?intervention_id={intervention}", self.url);
        let response =
            self.client.post(url).bearer_auth(&self.token).multipart(form).send().await.unwrap();
        response.status()
    }

    /// How many documents have this status.
    pub async fn documents(&self, status: &str) -> i64 {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from documents where status = $1"#,
            status
        )
        .fetch_one(&self.ctx.pool)
        .await
        .unwrap()
    }

    pub async fn until_ready(&self, count: i64) {
        let started = Instant::now();
        while self.documents("ready").await < count {
            assert!(started.elapsed() < Duration::from_mins(1), "not ready within a minute");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn boss(ctx: &Ctx) -> (i64, String) {
    let new = json!({
        "username": "responsable", "full_name": "Salma Idrissi", "email": "s.idrissi@mif.example",
        "role": "responsable", "password": "atlas pompe quai 4",
    });
    let new = UserCreate::read(&mut Fields::json(new.as_object().unwrap().clone())).unwrap();
    let hash = users::hash_password(new.password.clone()).await.unwrap();
    let (mut tx, now) = (ctx.begin().await.unwrap(), ctx.clock.now());
    let user = users::create(&mut tx, &new, &hash, now).await.unwrap();
    let account = users::find_account(&mut *tx, user.id).await.unwrap().unwrap();
    let tokens = auth::open_session(&mut tx, &ctx.keys, &account, &auth::Origin::default(), now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (user.id, tokens.access_token)
}
