//! The connections of the real programs when the server vanishes, hangs or is slow, and when a process is frozen.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic")]

#[path = "support/hosts.rs"]
mod hosts;
mod support;

use std::{
    process::Command,
    time::{Duration, Instant},
};

use erp_dev::postgres::{Config, Postgres};
use hosts::{Hosts, Proxy};
use rustix::process::Signal;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use support::System;

/// Long enough for a busy machine.
const LIMIT: Duration = Duration::from_secs(150);

/// Polls `look` until it is true; how long that took.
async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) -> Duration {
    let started = Instant::now();
    while !look().await {
        assert!(started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    started.elapsed()
}

/// A Postgres of this test, and a copy of it, which stands for a standby.
struct Pair {
    first: Option<Postgres>,
    second: Option<Postgres>,
    folders: tempfile::TempDir,
}

impl Pair {
    fn config(&self, name: &str) -> Config {
        Config {
            guard: || Ok(env!("CARGO_BIN_EXE_erp-dev").into()),
            durable: false,
            ..Config::durable(self.folders.path().join(name))
        }
    }

    async fn new() -> Self {
        let mut pair = Self { first: None, second: None, folders: tempfile::tempdir().unwrap() };
        let config = pair.config("first");
        let first = tokio::task::spawn_blocking(move || Postgres::start(&config)).await.unwrap();
        let first = pair.first.insert(first.unwrap());
        let mut connection = PgConnection::connect(&first.url("postgres")).await.unwrap();
        connection.execute("create database erp").await.unwrap();
        let pool = PgPool::connect(&first.url("erp")).await.unwrap();
        erp_core::migrate(&pool).await.unwrap();
        pool.close().await;
        pair
    }

    /// The port of the first.
    fn port(&self) -> u16 {
        self.first.as_ref().unwrap().port()
    }

    /// Copies the first, with its current data, and starts both; the port of the copy.
    fn copy(&mut self) -> u16 {
        let port = self.port();
        drop(self.first.take());
        let folder = self.folders.path().join("first");
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(&folder).arg(self.folders.path().join("second"));
        assert!(copy.status().unwrap().success());
        let [first, second] = ["first", "second"].map(|name| self.config(name));
        let first = Config { port: Some(port), ..first };
        let start = || (Postgres::start(&first).unwrap(), Postgres::start(&second).unwrap());
        let (first, second) = tokio::task::block_in_place(start);
        let copy = second.port();
        (self.first, self.second) = (Some(first), Some(second));
        copy
    }
}

/// The programs are at work when the first host vanishes and its name leads to the second; asserts that they recover. `url` has that name.
async fn all_go_on_after_a_failover(mut pair: Pair, url: String, fail_over: impl AsyncFnOnce(u16)) {
    let pool = PgPool::connect(&pair.first.as_ref().unwrap().url("erp")).await.unwrap();
    let settings = [("DATABASE_MAX_CONNECTIONS", "5")];
    let system = System::on_with(url, pool, &settings, None).await;
    let intervention = system.intervention().await;
    let second = pair.copy();
    let _worker = system.worker();
    let list =
        || system.client.get(format!("{}/interventions", system.url)).bearer_auth(&system.token);
    let served = async || list().send().await.is_ok_and(|answer| answer.status() == 200);
    until("the API is there after the copy", served).await;
    let mail = async |n: usize| {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        let request = system.client.post(format!("{}/notifications", system.url));
        let answer = request.bearer_auth(&system.token).json(&new).send().await;
        answer.is_ok_and(|answer| answer.status() == 201)
    };
    until("a mail is accepted", async || mail(1).await).await;
    until("a mail is sent", async || system.mails().len() == 1).await;

    // More requests than connections: each connection has a statement under way when the host vanishes.
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let list = list();
        requests.spawn(async move {
            loop {
                let _ = list.try_clone().unwrap().send().await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    fail_over(second).await;
    let started = Instant::now();
    // Requests that hang are answered with 503, and are repeated.
    let new_worker_row = "select count(*) from queue.workers where last_seen > clock_timestamp() - interval '5 seconds'";
    let url = pair.second.as_ref().unwrap().url("erp");
    let mut second = PgConnection::connect(&url).await.unwrap();
    until("the worker beats on the second", async || {
        second.fetch_one(new_worker_row).await.unwrap().get::<i64, _>(0) > 0
    })
    .await;
    println!("the worker beats on the second host after {:.1} s", started.elapsed().as_secs_f64());
    until("the API answers from the second", served).await;
    println!("the API answers after {:.1} s", started.elapsed().as_secs_f64());
    until("a mail is accepted after it", async || mail(2).await).await;
    until("and sent", async || system.mails().len() == 2).await;
    println!("a mail is accepted and sent after {:.1} s", started.elapsed().as_secs_f64());
    requests.abort_all();
    // No connection is lost permanently: all five answer at the same time.
    let all = futures_util::future::join_all((0..5).map(|_| list().send())).await;
    for answer in all {
        assert_eq!(answer.unwrap().status(), 200);
    }
}

/// The connections of a proxy suddenly hang, as when the host behind it is gone: the proxy's TCP still acknowledges what is
/// sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failover_behind_a_proxy_that_hangs_all_go_on_by_themselves() {
    let pair = Pair::new().await;
    let proxy = Proxy::start("127.0.0.1:0", pair.port()).await;
    let url = format!("postgres://postgres@localhost:{}/erp?sslmode=disable", proxy.port());
    all_go_on_after_a_failover(pair, url, async |second| proxy.hang_and_lead_to(second)).await;
}

/// Set in the namespaces that [`after_a_failover_to_another_host_all_go_on_by_themselves`] creates.
const INSIDE: &str = "ERP_TEST_INSIDE_NAMESPACES";

/// Packets to the first host are dropped, and its name leads to the second. This runs in separate network namespaces, so that
/// the rest of this machine is not affected.
#[test]
fn after_a_failover_to_another_host_all_go_on_by_themselves() {
    if let Some(why) = hosts::unavailable() {
        println!("not run: {why}");
        return;
    }
    let inside = "in_namespaces_of_its_own";
    let mut command = Command::new("unshare");
    command.args(["--net", "--mount"]).arg(std::env::current_exe().unwrap());
    command.args([inside, "--exact", "--ignored", "--nocapture"]).env(INSIDE, "1");
    assert!(command.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by after_a_failover_to_another_host_all_go_on_by_themselves, in namespaces of its own"]
async fn in_namespaces_of_its_own() {
    assert!(std::env::var_os(INSIDE).is_some(), "it would change the network of this machine");
    let hosts = Hosts::new();
    let pair = Pair::new().await;
    let _first = Proxy::on(Hosts::listener(1), pair.port());
    let url = format!("postgres://postgres@{}:5432/erp?sslmode=disable", hosts::NAME);
    all_go_on_after_a_failover(pair, url, async |second| {
        // It lives until the process of the test ends.
        std::mem::forget(Proxy::on(Hosts::listener(2), second));
        Hosts::vanish(1);
        hosts.lead_to(2);
    })
    .await;
}

/// The outcomes of all ended attempts, from the histories and the ledger.
async fn outcomes(pool: &PgPool) -> Vec<String> {
    let outcomes = sqlx::query_scalar!(
        r#"
            select a ->> 'outcome' as "outcome!" from queue.everything, jsonb_array_elements(history) a
            union all select outcome from queue.ended
        "#
    );
    outcomes.fetch_all(pool).await.unwrap()
}

async fn count(pool: &PgPool, condition: &str) -> i64 {
    let sql = format!("select count(*) from {condition}");
    pool.fetch_one(AssertSqlSafe(sql)).await.unwrap().get(0)
}

/// Four mails and four photos that wait for a worker; a worker runs four mails and two photos at once.
async fn with_work() -> System {
    let system = System::start_with(&[("DATABASE_MAX_CONNECTIONS", "5")]).await;
    let intervention = system.intervention().await;
    for n in 0..4 {
        let new = json!({
            "type": "information", "canal": "email", "contenu": format!("Message {n}"),
            "intervention_id": intervention, "user_id": system.boss_id,
        });
        system.post("/notifications", new).await;
        system.upload(&intervention, erp_dev::samples::jpeg(64, 64, n)).await;
    }
    system
}

/// A lock that blocks every handler.
async fn lock(pool: &PgPool) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut lock = pool.begin().await.unwrap();
    lock.execute("lock table notifications, documents in access exclusive mode").await.unwrap();
    lock
}

const OPEN: &str = "queue.jobs";
const RUNNING: &str = "queue.jobs where lock_by is not null";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_pool_is_exhausted_lives_on_for_the_others() {
    let system = with_work().await;
    let pool = &system.ctx.pool;
    let lock = lock(pool).await;
    let _busy = system.worker();
    // It has no jobs of its own, and its heartbeats arrive, so that it may rescue the jobs of others.
    let _idle = system.worker_with(&[("WORKER_QUEUES", "maintenance.purge")]);
    // Six handlers share five connections.
    until("six jobs are held", async || count(pool, RUNNING).await >= 6).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    lock.rollback().await.unwrap();
    until("all jobs end", async || count(pool, OPEN).await == 0).await;
    let outcomes = outcomes(pool).await;
    assert!(!outcomes.iter().any(|outcome| outcome == "lost"), "{outcomes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_frozen_does_not_rescue_from_those_who_were_frozen_with_it() {
    let system = with_work().await;
    let pool = &system.ctx.pool;
    let idle = system.worker_with(&[("WORKER_QUEUES", "maintenance.purge")]);
    let silent = |worker: &str, seconds: u32| {
        format!(
            "queue.workers where id like '%-{worker}-%' and last_seen < clock_timestamp() - interval '{seconds} seconds'"
        )
    };
    let beat = |worker: &str| {
        format!(
            "queue.workers where id like '%-{worker}-%' and last_seen > clock_timestamp() - interval '1 second'"
        )
    };
    let (idle_pid, lock) = (idle.pid().to_string(), lock(pool).await);
    let busy = system.worker();
    until("six jobs are held", async || count(pool, RUNNING).await >= 6).await;
    let long = format!(
        "queue.workers where id like '%-{idle_pid}-%' and started_at < clock_timestamp() - interval '7 seconds'"
    );
    until("the idle one may rescue", async || count(pool, &long).await == 1).await;
    // As when the whole machine is paused.
    for worker in [&busy, &idle] {
        worker.signal(Signal::STOP);
    }
    let both = [silent(&busy.pid().to_string(), 8), silent(&idle_pid, 8)];
    for silent in &both {
        until("both are silent", async || count(pool, silent).await == 1).await;
    }
    idle.signal(Signal::CONT);
    until("the idle one beats", async || count(pool, &beat(&idle_pid)).await == 1).await;
    // Time for its first search for silent workers.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    busy.signal(Signal::CONT);
    drop(lock);
    until("all jobs end", async || count(pool, OPEN).await == 0).await;
    let outcomes = outcomes(pool).await;
    assert!(!outcomes.iter().any(|outcome| outcome == "lost"), "{outcomes:?}");
}

async fn metrics(system: &System) -> String {
    let answer = system.client.get(format!("{}/metrics", system.url)).send().await.unwrap();
    answer.text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_counts_too_slowly_is_slow_and_not_down() {
    let system = with_work().await;
    let ready = "erp_queue_jobs{queue=\"documents.process\",state=\"ready\"} 4";
    let before = metrics(&system).await;
    assert!(before.contains("erp_database_up 1") && before.contains(ready), "{before}");
    assert!(before.contains("erp_queue_counts_age_seconds 0"), "{before}");
    let mut lock = system.ctx.pool.begin().await.unwrap();
    lock.execute("lock table queue.jobs in access exclusive mode").await.unwrap();
    let slow = metrics(&system).await;
    assert!(slow.contains("erp_database_up 1"), "{slow}");
    assert!(slow.contains(ready), "what was counted before is shown: {slow}");
    let age = slow.lines().find(|l| l.starts_with("erp_queue_counts_age_seconds ")).unwrap();
    assert!(age.split(' ').nth(1).unwrap().parse::<f64>().unwrap() > 0.5, "{age}");
    drop(lock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and half a gigabyte: by hand"]
async fn a_million_dead_jobs_are_counted_as_ten_thousand_or_more() {
    let pair = Pair::new().await;
    let url = pair.first.as_ref().unwrap().url("erp");
    let system = System::on(url.clone(), PgPool::connect(&url).await.unwrap()).await;
    let fill = "insert into queue.ended (id, queue, payload, outcome, attempts, max_attempts, rescues, ended_at, run_at, created_at, error)
        select 'J' || lpad(i::text, 20, '0'), 'emails.send', '{}', 'dead', 8, 8, 0, now(), now(), now(), 'x'
        from generate_series(1, 1000000) i";
    system.ctx.pool.execute(fill).await.unwrap();
    for _ in 0..5 {
        let started = Instant::now();
        let text = metrics(&system).await;
        println!("/metrics took {:.1} ms", started.elapsed().as_secs_f64() * 1000.0);
        assert!(
            text.contains("erp_queue_jobs{queue=\"emails.send\",state=\"dead\"} 10000"),
            "{text}"
        );
        assert!(text.contains("erp_database_up 1"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: by hand, with --release"]
async fn what_the_relay_costs() {
    const STATEMENTS: u32 = 20_000;
    let pair = Pair::new().await;
    let url = pair.first.as_ref().unwrap().url("erp");
    let settings =
        [("DATABASE_URL", url.as_str()), ("SECRET_KEY", "the key of tests, long enough to sign")];
    let config = erp_core::Config::read(erp_core::config::Env::from_pairs(&settings)).unwrap();
    let relayed = erp_core::database::pool(&config.database).unwrap();
    let direct = PgPool::connect(&url).await.unwrap();
    for (what, pool) in
        [("direct", &direct), ("relayed", &relayed), ("direct", &direct), ("relayed", &relayed)]
    {
        let mut connection = pool.acquire().await.unwrap();
        let started = Instant::now();
        for _ in 0..STATEMENTS {
            connection.ping().await.unwrap();
        }
        println!(
            "{what}: {:.1} µs a round trip",
            started.elapsed().as_secs_f64() * 1e6 / f64::from(STATEMENTS)
        );
    }
}
