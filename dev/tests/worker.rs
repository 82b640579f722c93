//! `erp-worker` as a process: the answers of its port, and its messages about wrong settings and folders.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use erp_core::{MIGRATOR, migrate};
use erp_dev::{TestDb, run::Programs};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

use support::{Program, command, faults::free_port};

async fn programs() -> Programs {
    let _ = rustls::crypto::ring::default_provider().install_default();
    erp_dev::run::programs(None, false).await.unwrap()
}

const KEY: (&str, &str) = ("SECRET_KEY", "the key of tests, long enough to sign");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_while_its_database_answers_with_at_least_its_own_migrations() {
    let (programs, db) = (programs().await, TestDb::new().await);
    let (url, pool) = command::empty_database(&db, "worker_ready").await;
    migrate::migrate(&pool).await.unwrap();
    let files = tempfile::tempdir().unwrap();
    let (bound, uploads) =
        (format!("127.0.0.1:{}", free_port()), files.path().display().to_string());
    let settings =
        [KEY, ("DATABASE_URL", &url), ("UPLOAD_DIRECTORY", &uploads), ("WORKER_BIND_ADDR", &bound)];
    let environment = command::with(&[], &settings);
    let _worker = Program::start(&programs.worker, &environment);
    let client = reqwest::Client::new();
    let ready = async || {
        let started = Instant::now();
        loop {
            if let Ok(answer) = client.get(format!("http://{bound}/ready")).send().await {
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap();
                let check = |name: &str| body["checks"][name].as_str().unwrap().to_owned();
                return (status, check("database"), check("schema"));
            }
            assert!(started.elapsed() < Duration::from_mins(1), "it does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let is = |status: u16, database: &str, schema: &str| {
        (status, database.to_owned(), schema.to_owned())
    };
    assert_eq!(ready().await, is(200, "ok", "ok"));
    let said = command::run(&programs.worker, &["health"], &environment, "").await;
    assert_eq!(said.code, 0, "{said:?}");

    let run = async |sql: &str| {
        pool.execute(AssertSqlSafe(sql)).await.unwrap();
    };
    run("insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (29990101000000, 'demain', true, 'x', 1)")
    .await;
    assert_eq!(ready().await, is(200, "ok", "ok (plus récent)"));
    let last = MIGRATOR.iter().map(|migration| migration.version).max().unwrap();
    run(&format!("delete from _sqlx_migrations where version = {last}")).await;
    assert_eq!(ready().await, is(503, "ok", "not the schema of this version"));

    let name = pool.fetch_one("select current_database()").await.unwrap();
    let name: String = name.get(0);
    pool.close().await;
    let gone = format!("drop database {name} with (force)");
    db.pool.execute(AssertSqlSafe(gone)).await.unwrap();
    assert_eq!(ready().await, is(503, "does not answer", "unknown"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_are_wrong_are_named_by_every_command_that_needs_them() {
    let worker = programs().await.worker;
    let environment = command::with(&[], &[("SECRET_KEY", "7Jq-Zx")]);
    for command in ["run", "health"] {
        let said = command::run(&worker, &[command], &environment, "").await;
        assert_eq!(said.code, 2, "{command}: {said:?}");
        assert!(said.err.contains("SECRET_KEY"), "{command}: {said:?}");
        assert!(!said.err.contains("7Jq-Zx"), "{command}: {said:?}");
    }
    // Nothing listens there.
    let bound = format!("127.0.0.1:{}", free_port());
    let environment = command::with(
        &[],
        &[KEY, ("DATABASE_URL", "postgres://erp@127.0.0.1/erp"), ("WORKER_BIND_ADDR", &bound)],
    );
    let said = command::run(&worker, &["health"], &environment, "").await;
    assert!(said.code == 1 && said.err.contains(&bound), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mails_are_written_to_a_folder_without_any_settings() {
    let worker = programs().await.worker;
    let folder = tempfile::tempdir().unwrap();
    let mails = folder.path().join("mails").display().to_string();
    let said = command::run(&worker, &["preview-mails", &mails], &[], "").await;
    assert_eq!(said.code, 0, "{said:?}");
    let index = std::fs::read_to_string(folder.path().join("mails/index.html")).unwrap();
    let first = index.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(folder.path().join("mails").join(first).is_file(), "{first}");

    let file = tempfile::NamedTempFile::new().unwrap();
    let below = file.path().join("mails").display().to_string();
    let said = command::run(&worker, &["preview-mails", &below], &[], "").await;
    assert!(said.code == 1 && said.err.contains(&below), "{said:?}");
}
