//! Workers killed, Postgres restarted, the mail server away, all at once and under load: what was accepted is done, and
//! done once. The short form runs with the tests; `cargo chaos` runs the long one and prints what it saw.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and goes by the clock of the machine"
)]

mod support;

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use erp_dev::{
    postgres::{Config, Postgres},
    samples,
};
use reqwest::{Method, RequestBuilder, multipart};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection, postgres::PgPoolOptions};

use support::{Program, System};

/// How much, and how cruel.
#[derive(Debug, Clone, Copy)]
struct Plan {
    mails: usize,
    photos: usize,
    /// Of the photos.
    deletions: usize,
    workers: usize,
    kills: usize,
    /// Between two kills, at the least.
    pause: Duration,
    /// How long the mail server is away, once.
    outage: Duration,
    seed: u64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_is_done_once_whatever_dies() {
    chaos(Plan {
        mails: 480,
        photos: 80,
        deletions: 16,
        workers: 2,
        kills: 4,
        pause: Duration::from_millis(700),
        outage: Duration::from_secs(2),
        seed: 7,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the long form, by hand: cargo chaos"]
async fn ten_thousand_jobs_twenty_kills() {
    chaos(Plan {
        mails: 7000,
        photos: 2000,
        deletions: 1000,
        workers: 4,
        kills: 20,
        pause: Duration::from_millis(2500),
        outage: Duration::from_secs(20),
        seed: 7,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_the_api_says_so_and_afterwards_all_go_on_by_themselves() {
    let mut server = Server::start().await;
    let system = server.system().await;
    let client = Client::of(&system).await;
    let _worker = system.worker();
    client.mail(1).await;
    until_all_ended(&system).await;

    server.stop();
    let ready = client.request(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let said: Value = ready.json().await.unwrap();
    assert_eq!(said["checks"]["database"], "indisponible", "{said}");
    let refused = client.request(Method::GET, "/interventions").send().await.unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let said: Value = refused.json().await.unwrap();
    assert_eq!(said["code"], "service_indisponible", "{said}");
    assert_eq!(client.request(Method::GET, "/live").send().await.unwrap().status(), 200);

    server.start_again();
    client.mail(2).await;
    until_all_ended(&system).await;
    assert_eq!(client.request(Method::GET, "/ready").send().await.unwrap().status(), 200);
    assert_eq!(system.mails().len(), 2);
}

/// What the API has said yes to.
#[derive(Debug, Default)]
struct Accepted {
    mails: Vec<i64>,
    photos: Vec<i64>,
    deleted: Vec<i64>,
    /// Answers 503, all with `Retry-After`, and connections refused.
    refused: usize,
}

async fn chaos(plan: Plan) {
    println!("{plan:?}");
    let mut server = Server::start().await;
    let mut system = server.system().await;
    let started = Instant::now();

    let client = Client::of(&system).await;
    let producing = tokio::spawn(produce(client, plan));
    let mut workers: Vec<Program> = (0..plan.workers).map(|_| system.worker()).collect();
    let mut killed = HashMap::new();
    let mut dice = plan.seed;
    for n in 0..plan.kills {
        tokio::time::sleep(plan.pause + Duration::from_millis(roll(&mut dice) % 500)).await;
        let victim = usize::try_from(roll(&mut dice)).unwrap() % workers.len();
        killed.insert(workers[victim].pid(), Utc::now());
        workers[victim].signal(Signal::KILL);
        workers[victim] = system.worker();
        if n == plan.kills / 4 {
            // Asked to stop: connections are cut, commits are kept.
            server.stop();
            server.start_again();
        }
        if n == plan.kills / 2 {
            system.stop_smtp().await;
            tokio::time::sleep(plan.outage).await;
            system.start_smtp();
        }
        if n == plan.kills * 3 / 4 {
            // As in a power cut: it comes back through its log.
            server.quit();
            tokio::time::sleep(Duration::from_secs(1)).await;
            server.stop();
            server.start_again();
        }
    }
    let accepted = producing.await.unwrap();
    until_all_ended(&system).await;
    println!("everything ended after {:.0} s", started.elapsed().as_secs_f64());
    judge(&system, &accepted, &killed, plan).await;
    drop(workers);
}

/// A Postgres of our own, that can be stopped.
struct Server {
    config: Config,
    running: Option<Postgres>,
    _folder: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config {
            guard: || Ok(env!("CARGO_BIN_EXE_erp-dev").into()),
            ..Config::durable(folder.path())
        };
        let postgres = Postgres::start(&config).unwrap();
        config.port = Some(postgres.port());
        let mut connection = PgConnection::connect(&postgres.url("postgres")).await.unwrap();
        connection.execute("create database erp").await.unwrap();
        Self { config, running: Some(postgres), _folder: folder }
    }

    async fn system(&self) -> System {
        let url = self.running.as_ref().unwrap().url("erp");
        let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&url).unwrap();
        erp_core::migrate(&pool).await.unwrap();
        System::on(url, pool).await
    }

    fn stop(&mut self) {
        drop(self.running.take());
    }

    fn start_again(&mut self) {
        self.running = Some(Postgres::start(&self.config).unwrap());
    }

    /// An immediate shutdown.
    fn quit(&self) {
        let dir = self.running.as_ref().unwrap().dir();
        let file = std::fs::read_to_string(dir.join("data/postmaster.pid")).unwrap();
        let pid = file.lines().next().unwrap().parse().unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::QUIT).unwrap();
    }
}

/// splitmix64: the same run for the same seed, as far as the machine goes along.
fn roll(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Someone who goes on asking until the answer is yes.
#[derive(Clone)]
struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
    boss_id: i64,
    intervention: Value,
}

static REFUSED: AtomicUsize = AtomicUsize::new(0);

impl Client {
    async fn of(system: &System) -> Self {
        Self {
            http: system.client.clone(),
            url: system.url.clone(),
            token: system.token.clone(),
            boss_id: system.boss_id,
            intervention: system.intervention().await,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    async fn until_yes(&self, request: impl Fn() -> RequestBuilder) -> Value {
        loop {
            if let Ok(answer) = request().send().await {
                let (status, retry) =
                    (answer.status(), answer.headers().contains_key("retry-after"));
                let body = answer.bytes().await.unwrap_or_default();
                // A deletion whose answer was lost on the way has happened.
                if status.is_success() || status == 404 {
                    return serde_json::from_slice(&body).unwrap_or(Value::Null);
                }
                assert!(status == 503 && retry, "{status}: {}", String::from_utf8_lossy(&body));
            }
            REFUSED.fetch_add(1, Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn mail(&self, n: usize) -> i64 {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": self.intervention, "user_id": self.boss_id,
        });
        let made = self.until_yes(|| self.request(Method::POST, "/notifications").json(&new)).await;
        made["id"].as_i64().unwrap()
    }

    async fn photo(&self, photo: &[u8]) -> i64 {
        let path = format!("/documents?intervention_id={}", self.intervention);
        let request = || {
            let file = multipart::Part::bytes(photo.to_vec()).file_name("p.jpg");
            let form = multipart::Form::new().part("file", file);
            self.request(Method::POST, &path).multipart(form)
        };
        self.until_yes(request).await["id"].as_i64().unwrap()
    }

    async fn delete(&self, id: i64) {
        self.until_yes(|| self.request(Method::DELETE, &format!("/documents/{id}"))).await;
    }
}

/// Eight at once, mails and photos mixed; some photos are removed as soon as they are there.
async fn produce(client: Client, plan: Plan) -> Accepted {
    const AT_ONCE: usize = 8;
    let [mails, photos, deletions] = [plan.mails, plan.photos, plan.deletions].map(|n| n / AT_ONCE);
    let photo = samples::jpeg(320, 240, 1);
    // All through the killing, and no longer.
    let trouble = plan.pause * u32::try_from(plan.kills).unwrap() + plan.outage;
    let pace = trouble / u32::try_from(mails).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for lane in 0..AT_ONCE {
        let (client, photo) = (client.clone(), photo.clone());
        tasks.spawn(async move {
            let mut accepted = Accepted::default();
            let mut pace = tokio::time::interval(pace);
            for n in 0..mails {
                pace.tick().await;
                accepted.mails.push(client.mail(lane * mails + n).await);
                while accepted.photos.len() + accepted.deleted.len() < (n + 1) * photos / mails {
                    accepted.photos.push(client.photo(&photo).await);
                }
                if accepted.deleted.len() < (n + 1) * deletions / mails
                    && let Some(id) = accepted.photos.pop()
                {
                    client.delete(id).await;
                    accepted.deleted.push(id);
                }
            }
            accepted
        });
    }
    let mut all = Accepted::default();
    while let Some(part) = tasks.join_next().await {
        let part = part.unwrap();
        all.mails.extend(part.mails);
        all.photos.extend(part.photos);
        all.deleted.extend(part.deleted);
    }
    all.refused = REFUSED.load(Relaxed);
    all
}

async fn until_all_ended(system: &System) {
    let started = Instant::now();
    loop {
        let open = sqlx::query_scalar!(
            r#"select count(*) as "count!" from apalis.jobs where status in ('Pending', 'Failed', 'Running')"#
        );
        if let Ok(0) = open.fetch_one(&system.ctx.pool).await {
            return;
        }
        assert!(started.elapsed() < Duration::from_mins(20), "jobs are stuck");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Compares what was accepted with what there is.
async fn judge(
    system: &System,
    accepted: &Accepted,
    killed: &HashMap<u32, DateTime<Utc>>,
    plan: Plan,
) {
    let pool = &system.ctx.pool;
    let rows = sqlx::query!("select id, statut from notifications").fetch_all(pool).await.unwrap();
    let sent: HashSet<i64> =
        rows.iter().filter(|row| row.statut == "envoyee").map(|row| row.id).collect();
    let mut copies: HashMap<String, usize> = HashMap::new();
    for mail in system.mails() {
        *copies.entry(mail.message_id.unwrap_or_default()).or_default() += 1;
    }
    let copies_of =
        |id: i64| copies.get(&format!("<notification-{id}@mif-maroc.example>")).copied();
    let lost_mails =
        accepted.mails.iter().filter(|id| !sent.contains(id) || copies_of(**id).is_none()).count();

    let documents =
        sqlx::query!("select id, status, fichier from documents").fetch_all(pool).await.unwrap();
    let ready: HashMap<i64, String> = documents
        .iter()
        .filter(|row| row.status == "ready")
        .map(|row| (row.id, row.fichier.to_string()))
        .collect();
    let lost_photos = accepted.photos.iter().filter(|id| !ready.contains_key(id)).count();
    let undead = accepted.deleted.iter().filter(|id| ready.contains_key(id)).count();
    let files = std::fs::read_dir(system.files.path()).unwrap().count();

    // What doubled, and whether a worker died over it so often.
    let histories = sqlx::query!(
        r#"
            select (convert_from(job, 'utf8')::jsonb ->> 'notification_id')::bigint as notification_id, status, attempts_log
            from apalis.jobs where job_type = 'emails.send'
        "#
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let (mut doubled, mut unexplained, mut longest, mut rescues) = (0, 0, 0.0_f64, 0);
    let host = |worker: &str| worker.rsplit('-').nth(1).and_then(|pid| pid.parse::<u32>().ok());
    for job in &histories {
        assert_eq!(job.status, "Done");
        let lost = lost_attempts(&job.attempts_log);
        let copies = copies_of(job.notification_id.unwrap()).unwrap_or(0);
        doubled += copies.saturating_sub(1);
        unexplained += copies.saturating_sub(1).saturating_sub(lost.len());
    }
    let all = sqlx::query!("select attempts_log from apalis.jobs").fetch_all(pool).await.unwrap();
    for (worker, ended) in all.iter().flat_map(|job| lost_attempts(&job.attempts_log)) {
        rescues += 1;
        if let Some(death) = host(&worker).and_then(|pid| killed.get(&pid)) {
            longest = longest.max((ended - *death).as_seconds_f64());
        }
    }
    println!(
        "accepted {} mails, {} photos, {} deletions; refused with 503 or no connection {}",
        accepted.mails.len(),
        accepted.photos.len() + accepted.deleted.len(),
        accepted.deleted.len(),
        accepted.refused
    );
    println!(
        "seen     {} mails by Message-ID, {} documents ready, {files} files",
        copies.len(),
        ready.len()
    );
    println!("lost     {lost_mails} mails, {lost_photos} photos, {undead} deletions");
    println!(
        "doubled  {doubled} mails ({unexplained} of them without a worker that died over it), {} files",
        files.abs_diff(3 * ready.len())
    );
    println!(
        "rescues  {rescues} after {} kills, the longest {longest:.1} s after the death",
        plan.kills
    );
    assert_eq!((lost_mails, lost_photos, undead, unexplained), (0, 0, 0, 0));
    assert_eq!(accepted.mails.len(), plan.mails);
    assert_eq!(documents.len(), ready.len(), "none is stuck");
    assert_eq!(
        files,
        3 * ready.len(),
        "an original, a preview and a thumbnail each, and nothing else"
    );
    assert!(longest < 60.0, "a rescue took {longest:.1} s");
}

/// The worker and the rescue of each attempt that was lost.
fn lost_attempts(history: &Value) -> Vec<(String, DateTime<Utc>)> {
    let attempts = history.as_array().unwrap().iter().filter(|a| a["outcome"] == "lost");
    attempts
        .map(|a| {
            let ended = a["ended_at"].as_str().unwrap().parse().unwrap();
            (a["worker"].as_str().unwrap().to_owned(), ended)
        })
        .collect()
}
