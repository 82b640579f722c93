//! The whole system for one test: its own database, files, mailbox, an API on a port, and workers on demand.
use std::{
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use erp_core::{
    Clock, Config, Ctx,
    auth::{self, Origin},
    config::Env,
    input::{Fields, Input as _},
    users::{self, PasswordHash, UserCreate, UserRole},
};
use erp_dev::{MailSink, TestDb, mail_sink::Message};
use erp_worker::Settings;
use reqwest::{Client, Method, RequestBuilder, StatusCode, multipart};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::{
    net::{TcpListener, TcpSocket},
    runtime::Builder,
    sync::OnceCell,
    task::JoinHandle,
};

/// The password of every user of a test.
pub const PASSWORD: &str = "atlas pompe quai 4";

/// A user, and an access token.
#[derive(Clone)]
pub struct User {
    pub id: i64,
    pub username: String,
    pub email: String,
    pub token: String,
}

pub struct App {
    pub ctx: Ctx,
    pub url: String,
    pub client: Client,
    pub files: tempfile::TempDir,
    pub smtp_port: u16,
    sink: Option<MailSink>,
    /// Reserves the port of a stopped mail server: nothing listens there, and no other test gets it.
    kept_port: Option<TcpSocket>,
    mails: tempfile::TempDir,
    servers: Mutex<Vec<JoinHandle<()>>>,
    /// Whether a worker has run: then no job may be left when the test ends.
    ran_jobs: AtomicBool,
    /// But for a test that leaves some on purpose.
    leaves_jobs: AtomicBool,
    db: TestDb,
}

impl Drop for App {
    fn drop(&mut self) {
        for server in self.servers.get_mut().unwrap() {
            server.abort();
        }
        let judged = self.ran_jobs.load(Relaxed) && !self.leaves_jobs.load(Relaxed);
        if judged && !std::thread::panicking() {
            assert_eq!(jobs_left(self.db.url()), [""; 0], "jobs are left: see App::leaves_jobs");
        }
    }
}

/// The jobs of the database at `url` that are due, have failed or are dead. Blocks, on a thread of its own: the caller is a task.
fn jobs_left(url: String) -> Vec<String> {
    let look = async move {
        let mut db = PgConnection::connect(&url).await.unwrap();
        let left = sqlx::query_scalar!(
            r#"
                select concat_ws(' ', id, queue, state, run_at, error) as "job!"
                from queue.everything where state in ('ready', 'running', 'retrying', 'dead') order by id limit 20
            "#
        );
        left.fetch_all(&mut db).await.unwrap()
    };
    let run = || Builder::new_current_thread().enable_all().build().unwrap().block_on(look);
    std::thread::spawn(run).join().unwrap()
}

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or("")
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Asserts this status and code, in the envelope of errors.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) {
        assert_eq!((self.status.as_u16(), self.code()), (status, code), "{}", self.body);
        assert_eq!(self.body["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(!self.body["detail"].is_null());
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or("")
    }
}

impl App {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    /// A system with these settings.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::at(Clock::default(), settings).await
    }

    /// A system with this clock and these settings.
    pub async fn at(clock: Clock, settings: &[(&str, &str)]) -> Self {
        let (db, files, mails) = (TestDb::new().await, tempdir(), tempdir());
        let sink = MailSink::start(([127, 0, 0, 1], 0), mails.path()).unwrap();
        let smtp_port = sink.smtp_port();
        let (db_url, port) = (db.url(), smtp_port.to_string());
        let mut pairs = vec![
            ("DATABASE_URL", db_url.as_str()),
            ("SECRET_KEY", "the key of tests, long enough to sign"),
            ("UPLOAD_DIRECTORY", files.path().to_str().unwrap()),
            ("SMTP_HOST", "127.0.0.1"),
            ("SMTP_PORT", &port),
            ("SMTP_TIMEOUT_SECONDS", "5"),
            ("FRONTEND_URL", "https://erp.example"),
            ("SHUTDOWN_TIMEOUT", "10"),
            ("RATE_LIMIT_PER_MINUTE", "0"),
            ("LOGIN_LIMIT_PER_MINUTE", "0"),
            ("ENABLE_SCHEDULER", "false"),
            ("EMAILS_GROUP_SECONDS", "0"),
        ];
        pairs.extend_from_slice(settings);
        let config = Config::read(Env::from_pairs(&pairs)).unwrap();
        let mut ctx = Ctx::with_pool(config, db.pool.clone()).unwrap();
        ctx.clock = clock;
        Self::serve(ctx, db, files, mails, sink).await
    }

    async fn serve(
        ctx: Ctx,
        db: TestDb,
        files: tempfile::TempDir,
        mails: tempfile::TempDir,
        sink: MailSink,
    ) -> Self {
        let (url, server) = listen(&ctx).await;
        // reqwest is built without a TLS provider; a second call has no effect.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let smtp_port = sink.smtp_port();
        Self {
            ctx,
            url,
            client,
            files,
            smtp_port,
            sink: Some(sink),
            kept_port: None,
            mails,
            servers: Mutex::new(vec![server]),
            ran_jobs: AtomicBool::new(false),
            leaves_jobs: AtomicBool::new(false),
            db,
        }
    }

    /// Another replica of the API; its URL.
    pub async fn replica(&self) -> String {
        let (url, server) = listen(&self.ctx).await;
        self.servers.lock().unwrap().push(server);
        url
    }

    /// A new user of `role` with the usual password, signed in.
    pub async fn user(&self, role: UserRole) -> User {
        self.user_with(role, json!({})).await
    }

    /// As [`Self::user`], with these fields in place of its own.
    pub async fn user_with(&self, role: UserRole, fields: Value) -> User {
        static HASH: OnceCell<PasswordHash> = OnceCell::const_new();
        static N: LazyLock<std::sync::atomic::AtomicU32> = LazyLock::new(Default::default);
        let n = N.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut input = json!({
            "username": format!("{role}{n}"), "full_name": format!("Salma {role} {n}"),
            "email": format!("{role}{n}@mif.example"), "role": role, "password": PASSWORD,
        });
        input.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let new = UserCreate::read(&mut Fields::json(input.as_object().unwrap().clone())).unwrap();
        let hash = HASH
            .get_or_init(async || users::hash_password(new.password.clone()).await.unwrap())
            .await;

        let now = self.ctx.clock.now();
        let mut tx = self.ctx.begin().await.unwrap();
        let user = users::create(&mut tx, &new, hash, now).await.unwrap();
        let account = users::find_account(&mut *tx, user.id).await.unwrap().unwrap();
        let token = auth::open_session(&mut tx, &self.ctx.keys, &account, &Origin::default(), now)
            .await
            .unwrap()
            .access_token;
        tx.commit().await.unwrap();
        User { id: user.id, username: user.username, email: user.email, token }
    }

    /// A new user who is a technicien, and the id of the technicien.
    pub async fn technicien(&self) -> (User, i64) {
        let (user, boss) =
            (self.user(UserRole::Technicien).await, self.user(UserRole::Responsable).await);
        let made = self.post(&boss, "/techniciens", json!({"user_id": user.id})).await.expect(200);
        (user, made["id"].as_i64().unwrap())
    }

    /// A new machine with a unique name; its id.
    pub async fn equipement(&self, boss: &User) -> i64 {
        let nom = format!("Pompe centrifuge {}", uuid::Uuid::new_v4());
        let new = json!({"nom": nom, "type": "Pompe", "localisation": "Jorf Lasfar"});
        self.post(boss, "/equipements", new).await.expect(200)["id"].as_i64().unwrap()
    }

    /// A new open intervention on a new machine; its id.
    pub async fn intervention(&self, boss: &User) -> i64 {
        let new = json!({
            "titre": "Fuite à la garniture", "type": "corrective", "equipement_id": self.equipement(boss).await,
        });
        self.post(boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        Answer { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    /// Sends a request to `path` below `/api/v1`, as `user`.
    pub async fn call(
        &self,
        user: &User,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let send = async |token: &str| {
            let path = format!("/api/v1{path}");
            let mut request = self.request(method.clone(), &path).bearer_auth(token);
            if let Some(body) = &body {
                request = request.json(body);
            }
            self.send(request).await
        };
        let answer = send(&user.token).await;
        // A test that moves its clock by days needs a new token.
        if answer.code() == "jeton_expire" {
            send(&self.token(user.id).await).await
        } else {
            answer
        }
    }

    /// A new access token of a user.
    pub async fn token(&self, user_id: i64) -> String {
        let mut tx = self.ctx.begin().await.unwrap();
        let account = users::find_account(&mut *tx, user_id).await.unwrap().unwrap();
        let now = self.ctx.clock.now();
        let tokens = auth::open_session(&mut tx, &self.ctx.keys, &account, &Origin::default(), now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        tokens.access_token
    }

    pub async fn get(&self, user: &User, path: &str) -> Answer {
        self.call(user, Method::GET, path, None).await
    }

    pub async fn post(&self, user: &User, path: &str, body: Value) -> Answer {
        self.call(user, Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, user: &User, path: &str, body: Value) -> Answer {
        self.call(user, Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, user: &User, path: &str, body: Value) -> Answer {
        self.call(user, Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, user: &User, path: &str) -> Answer {
        self.call(user, Method::DELETE, path, None).await
    }

    /// Moves an intervention one step on.
    pub async fn step(&self, user: &User, id: i64, statut: &str) -> Answer {
        self.call(user, Method::PATCH, &format!("/interventions/{id}/statut?statut={statut}"), None)
            .await
    }

    /// Uploads `bytes` as a file called `name`.
    pub async fn upload(
        &self,
        user: &User,
        intervention_id: i64,
        name: &str,
        bytes: Vec<u8>,
    ) -> Answer {
        let file = multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = multipart::Form::new().part("file", file);
        let path = format!("/api/v1/documents/upload?intervention_id={intervention_id}");
        self.send(self.request(Method::POST, &path).bearer_auth(&user.token).multipart(form)).await
    }

    /// The current state of the document, null if there is none.
    pub async fn document(&self, user: &User, document: &Value) -> Value {
        let path = format!("/documents/{}", document["intervention_id"]);
        let list = self.get(user, &path).await.expect(200);
        let same = |row: &&Value| row["id"] == document["id"];
        list.as_array().unwrap().iter().find(same).cloned().unwrap_or(Value::Null)
    }

    /// Runs a worker until no job is runnable.
    pub async fn run_jobs(&self) {
        self.run_jobs_with(self.settings().await).await;
    }

    /// The settings of workers: files are decoded by the real `erp-worker`, which the test program is not.
    pub async fn settings(&self) -> Settings {
        static WORKER: OnceCell<std::path::PathBuf> = OnceCell::const_new();
        let built = || async { erp_dev::run::programs(None, false).await.unwrap().worker };
        let decoder = WORKER.get_or_init(built).await.clone();
        Settings { poll: Duration::from_millis(50), decoder, ..Settings::new(&self.ctx) }
    }

    /// Runs a worker with these settings until no job is runnable.
    pub async fn run_jobs_with(&self, settings: Settings) {
        self.ran_jobs.store(true, Relaxed);
        let pool = self.ctx.pool.clone();
        let idle = async move {
            while runnable(&pool).await > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        erp_worker::run(&self.ctx, &settings, idle).await.unwrap();
        self.say_what_is_left().await;
    }

    /// This test leaves jobs on purpose: they are what it is about, or fail on purpose.
    pub fn leaves_jobs(&self) {
        self.leaves_jobs.store(true, Relaxed);
    }

    /// For whoever reads why a test failed: the jobs that were not done, and what became of their attempts.
    async fn say_what_is_left(&self) {
        let left = sqlx::query_scalar!(
            r#"
                select concat_ws(' ', id, queue, state, 'due', run_at, 'looked at', clock_timestamp(), error, history) as "job!"
                from queue.everything where state <> 'done' order by id limit 20
            "#
        );
        for job in left.fetch_all(&self.ctx.pool).await.unwrap() {
            println!("left: {job}");
        }
    }

    /// Moves the stopped clock of this test.
    pub fn set_clock(&self, now: &str) {
        self.ctx.clock.set(now.parse().unwrap());
    }

    /// Runs the job of a schedule, and the jobs that follow from it; none may fail.
    pub async fn run_schedule(&self, admin: &User, name: &str) {
        let path = format!("/admin/schedules/{name}/run");
        self.post(admin, &path, json!({})).await.expect(202);
        self.run_jobs().await;
        let dead =
            self.jobs().await.into_iter().filter(|job| job.1 == "dead" || job.1 == "retrying");
        assert_eq!(dead.collect::<Vec<_>>(), []);
    }

    /// The type of each notification of `user`, oldest first.
    pub async fn told(&self, user: &User) -> Vec<String> {
        let list = self.get(user, "/notifications/user/me?limit=200&sort=id").await.expect(200);
        let list = list.as_array().unwrap().iter();
        list.map(|n| n["type"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes every job due that is not running.
    pub async fn skip_backoff(&self) {
        sqlx::query!(
            "update queue.jobs set run_at = now() - interval '1 second' where lock_by is null"
        )
        .execute(&self.ctx.pool)
        .await
        .unwrap();
    }

    /// Postpones every job that waits for another attempt by one hour.
    pub async fn hold_backoff(&self) {
        sqlx::query!(
            "update queue.jobs set run_at = now() + interval '1 hour' where error is not null and lock_by is null"
        )
        .execute(&self.ctx.pool)
        .await
        .unwrap();
    }

    /// Queue, state and attempts of every job, oldest first.
    pub async fn jobs(&self) -> Vec<(String, String, i32)> {
        sqlx::query!(
            r#"select queue as "queue!", state as "state!", attempts as "attempts!" from queue.everything order by id"#
        )
            .fetch_all(&self.ctx.pool)
            .await
            .unwrap()
            .into_iter()
            .map(|row| (row.queue, row.state, row.attempts))
            .collect()
    }

    /// The mails that have arrived, oldest first.
    pub fn mails(&self) -> Vec<Message> {
        let mut mails = self.sink.as_ref().unwrap().messages().unwrap();
        mails.reverse();
        mails
    }

    /// Stops the mail server, and reserves its port.
    pub async fn stop_smtp(&mut self) {
        self.sink.take().unwrap().stop().await;
        let keep = || {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(([127, 0, 0, 1], self.smtp_port).into())?;
            Ok::<_, std::io::Error>(socket)
        };
        // Another connection may use the port for a moment.
        for _ in 0..200 {
            match keep() {
                Ok(socket) => return self.kept_port = Some(socket),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        panic!("port {} is somebody else's", self.smtp_port);
    }

    /// Starts the mail server again, on the same port, with its earlier mails.
    pub fn start_smtp(&mut self) {
        let address = ([127, 0, 0, 1], self.smtp_port);
        self.kept_port = None;
        self.sink = Some(MailSink::start(address, self.mails.path()).unwrap());
    }

    /// The names of all files in storage.
    pub fn stored_files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.files.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

async fn runnable(pool: &sqlx::PgPool) -> i64 {
    sqlx::query_scalar!(
        r#"
            select count(*) as "count!" from queue.jobs where lock_by is not null or run_at <= now()
        "#
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Serves the API on a port; its URL.
async fn listen(ctx: &Ctx) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (service, never) = (erp_api::service(ctx), std::future::pending());
    (url, tokio::spawn(erp_api::serve(listener, service, never, Duration::ZERO)))
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}
