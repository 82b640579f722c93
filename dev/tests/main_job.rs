//! The real programs as processes, killed and stopped while they work: nothing is lost, nothing is done twice.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
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
use erp_dev::{MailSink, TestDb, run::Programs, samples};
use reqwest::{Client, StatusCode, multipart};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A process that ends with the test, whatever happens.
struct Program(Child);

impl Program {
    fn start(path: &Path, environment: &[(String, String)]) -> Self {
        let mut command = Command::new(path);
        command.env_clear().envs(environment.iter().cloned()).env("LOG_LEVEL", "warn");
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        for _ in 0..3000 {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the process does not end");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An API process, and all that its workers need.
struct System {
    programs: Programs,
    environment: Vec<(String, String)>,
    ctx: Ctx,
    client: Client,
    url: String,
    token: String,
    boss_id: i64,
    files: tempfile::TempDir,
    sink: MailSink,
    _mails: tempfile::TempDir,
    _api: Program,
    _db: TestDb,
}

impl System {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = erp_dev::run::programs(None, false).await.unwrap();
        let (db, files, mails) =
            (TestDb::new().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sink = MailSink::start(([127, 0, 0, 1], 0), mails.path()).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let environment: Vec<(String, String)> = [
            ("DATABASE_URL", db.url()),
            ("BIND_ADDR", format!("127.0.0.1:{port}")),
            ("SECRET_KEY", "the key of tests, long enough to sign".to_owned()),
            ("UPLOAD_DIRECTORY", files.path().display().to_string()),
            ("SMTP_HOST", "127.0.0.1".to_owned()),
            ("SMTP_PORT", sink.smtp_port().to_string()),
            ("WORKER_RESCUE_SECONDS", "5".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let pairs: Vec<_> = environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let ctx = Ctx::with_pool(Config::read(Env::from_pairs(&pairs)).unwrap(), db.pool.clone())
            .unwrap();
        let (boss_id, token) = boss(&ctx).await;
        let api = Program::start(&programs.api, &environment);
        let (client, url) = (Client::new(), format!("http://127.0.0.1:{port}"));
        while client.get(format!("{url}/ready")).send().await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            programs,
            environment,
            ctx,
            client,
            url,
            token,
            boss_id,
            files,
            sink,
            _mails: mails,
            _api: api,
            _db: db,
        }
    }

    fn worker(&self) -> Program {
        Program::start(&self.programs.worker, &self.environment)
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request =
            self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{}", response.text().await.unwrap());
        response.json().await.unwrap()
    }

    async fn intervention(&self) -> Value {
        let nom = uuid::Uuid::new_v4().to_string();
        let machine = json!({"nom": nom, "type": "Pompe", "localisation": "Safi"});
        let machine = self.post("/equipements", machine).await;
        let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine["id"]});
        self.post("/interventions", new).await["id"].clone()
    }

    async fn upload(&self, intervention: &Value, photo: Vec<u8>) {
        let form =
            multipart::Form::new().part("file", multipart::Part::bytes(photo).file_name("p.jpg"));
        let url = format!("{}/documents?intervention_id={intervention}", self.url);
        let response =
            self.client.post(url).bearer_auth(&self.token).multipart(form).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
    }

    /// How many documents are in each status.
    async fn documents(&self, status: &str) -> i64 {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from documents where status = $1"#,
            status
        )
        .fetch_one(&self.ctx.pool)
        .await
        .unwrap()
    }

    async fn until_ready(&self, count: i64) {
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
    let tokens = auth::open_session(&mut tx, &ctx.keys, &account, now).await.unwrap();
    tx.commit().await.unwrap();
    (user.id, tokens.access_token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_whose_worker_is_killed_all_become_ready_and_no_file_twice() {
    const PHOTOS: usize = 30;
    let system = System::start().await;
    let intervention = system.intervention().await;
    let (first, second) = (system.worker(), system.worker());
    let photo = samples::jpeg(1600, 1200, 1);
    for n in 0..PHOTOS {
        system.upload(&intervention, photo.clone()).await;
        if n == PHOTOS / 3 {
            system.until_ready(1).await;
            first.signal(Signal::KILL);
        }
    }
    system.until_ready(i64::try_from(PHOTOS).unwrap()).await;

    let files = std::fs::read_dir(system.files.path()).unwrap().count();
    assert_eq!(files, 3 * PHOTOS, "an original, a preview and a thumbnail each, and nothing else");
    let unfinished = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from apalis.jobs where status <> 'Done'"#
        )
    };
    for _ in 0..200 {
        // Done is recorded a moment after the document is ready.
        if unfinished().fetch_one(&system.ctx.pool).await.unwrap() == 0 {
            return drop(second);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("a job is stuck");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_asked_to_stop_finishes_what_it_holds_and_exits_cleanly() {
    const PHOTOS: usize = 8;
    let system = System::start().await;
    let intervention = system.intervention().await;
    let mut worker = system.worker();
    let photo = samples::jpeg(1600, 1200, 1);
    for _ in 0..PHOTOS {
        system.upload(&intervention, photo.clone()).await;
    }
    system.until_ready(1).await;
    worker.signal(Signal::TERM);
    assert!(worker.ended().await.success());
    assert_eq!(system.documents("processing").await, 0, "what was begun is finished");
    let held = sqlx::query_scalar!(
        r#"select count(*) as "count!" from apalis.jobs where status not in ('Done', 'Pending') or attempts > 1"#
    );
    assert_eq!(held.fetch_one(&system.ctx.pool).await.unwrap(), 0);
    let _next = system.worker();
    system.until_ready(i64::try_from(PHOTOS).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_of_a_killed_worker_arrive_and_none_is_lost() {
    const MAILS: usize = 40;
    let system = System::start().await;
    let intervention = system.intervention().await;
    let (first, _second) = (system.worker(), system.worker());
    for n in 0..MAILS {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        system.post("/notifications", new).await;
        if n == MAILS / 2 {
            first.signal(Signal::KILL);
        }
    }
    let sent = || {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from notifications where statut = 'envoyee'"#
        )
    };
    let started = Instant::now();
    while sent().fetch_one(&system.ctx.pool).await.unwrap() < i64::try_from(MAILS).unwrap() {
        assert!(started.elapsed() < Duration::from_mins(1), "not sent within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mails = system.sink.messages().unwrap();
    let mut ids: Vec<_> = mails.iter().map(|m| m.message_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), MAILS, "every notification, by its Message-ID");
    // The killed worker had at most four on their way; each may have been accepted and not recorded.
    assert!(mails.len() <= MAILS + 4, "{} mails", mails.len());
}
