//! The private cluster of `cargo dev` and the tests, as its processes use it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use erp_dev::postgres::{Config, Postgres};
use sqlx::{Connection as _, Executor as _, PgConnection};

fn config(dir: &Path) -> Config {
    Config {
        durable: false,
        guard: || Ok(PathBuf::from(env!("CARGO_BIN_EXE_erp-dev"))),
        ..Config::durable(dir)
    }
}

/// A folder that the server's account can read even when the tests run as root.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    dir
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Waits until the server and its guard have ended.
fn assert_gone(dir: &Path, port: u16) {
    let begun = Instant::now();
    let guard = std::fs::File::open(dir.join("guard.lock")).unwrap();
    while answers(port) || guard.try_lock().is_err() || dir.join("data/postmaster.pid").exists() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the server outlives its users");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test]
async fn data_outlive_the_server_and_the_server_its_first_user() {
    let dir = folder();
    let first = Postgres::start(&config(dir.path())).unwrap();
    let second = Postgres::start(&config(dir.path())).unwrap();
    assert_eq!(first.port(), second.port());
    drop(first);
    let mut connection = PgConnection::connect(&second.url("postgres")).await.unwrap();
    connection
        .execute("create table kept (); create extension hstore; create extension pgcrypto")
        .await
        .unwrap();
    connection.close().await.unwrap();
    let port = second.port();
    drop(second);
    assert_gone(dir.path(), port);

    let again = Postgres::start(&config(dir.path())).unwrap();
    let mut connection = PgConnection::connect(&again.url("postgres")).await.unwrap();
    connection.execute("select from kept").await.unwrap();
    let port = again.port();
    drop(again); // with a connection open: a fast shutdown does not wait for it
    assert!(!answers(port));
}

#[test]
fn parallel_starts_share_one_server() {
    let dir = folder();
    let users: Vec<Postgres> = std::thread::scope(|scope| {
        let start = || Postgres::start(&config(dir.path())).unwrap();
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let port = users[0].port();
    assert!(users.iter().all(|user| user.port() == port));
    drop(users);
    assert_gone(dir.path(), port);
}

#[test]
fn a_port_in_use_is_an_error_that_shows_the_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dir = folder();
    let port = Some(taken.local_addr().unwrap().port());
    let error = Postgres::start(&Config { port, ..config(dir.path()) }).unwrap_err();
    assert!(error.to_string().contains("could not bind"), "{error:#}");
}

/// Not a test by itself: the process that the next test kills.
#[test]
#[ignore = "run by a_killed_process_leaves_no_server"]
fn hold() {
    let dir = PathBuf::from(std::env::var_os("HOLD_DIR").unwrap());
    let postgres = Postgres::start(&config(&dir)).unwrap();
    println!("\nport {}", postgres.port());
    std::thread::sleep(Duration::from_mins(1));
}

fn holder(dir: &Path) -> (Child, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "hold", "--nocapture"])
        .env("HOLD_DIR", dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| line.unwrap().strip_prefix("port ")?.parse().ok()).unwrap();
    (child, port)
}

#[test]
fn a_killed_process_leaves_no_server() {
    let dir = folder();
    let (mut child, port) = holder(dir.path());
    assert!(answers(port));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_gone(dir.path(), port);
}

#[test]
fn the_server_of_a_killed_process_stays_for_its_other_users() {
    let dir = folder();
    let (mut child, port) = holder(dir.path());
    let other = Postgres::start(&config(dir.path())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(answers(port));
    assert_eq!(other.port(), port);
    drop(other);
    assert_gone(dir.path(), port);
}
