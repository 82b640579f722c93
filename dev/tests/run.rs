//! `cargo dev` as a user sees it, with stand-ins for the API and the worker.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lettre::{Message, SmtpTransport, Transport as _};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Not tests by themselves: the scripts of [`stand_ins`] run them.
#[test]
#[ignore = "a stand-in for the API"]
fn api() {
    stop_with_input();
    let listener = std::net::TcpListener::bind(variable("BIND_ADDR")).unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap();
        let status = if request[..read].starts_with(b"GET /ready ") { "200 OK" } else { "404 Not" };
        let _ = write!(stream, "HTTP/1.1 {status}\r\n\r\n");
    }
}

#[test]
#[ignore = "a stand-in for the worker"]
fn worker() {
    stop_with_input();
    println!("secret {}", variable("SECRET_KEY"));
    std::thread::sleep(Duration::from_mins(1));
}

fn variable(name: &str) -> String {
    std::env::var_os(name).unwrap().into_string().unwrap()
}

fn stop_with_input() {
    assert_eq!(variable("ERP_STOP_ON_STDIN_EOF"), "1");
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}

fn stand_ins(dir: &Path) {
    let exe = std::env::current_exe().unwrap();
    for name in ["api", "worker"] {
        let path = dir.join(format!("erp-{name}"));
        let run = format!("exec '{}' --ignored --exact {name} --nocapture", exe.display());
        fs::write(&path, format!("#!/bin/sh\n[ \"$1\" != migrate ] || exit 0\n{run}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

struct Dev {
    process: Child,
    dir: PathBuf,
}

impl Dev {
    fn start(dir: &Path) -> Dev {
        Dev::start_with(dir, &[])
    }

    fn start_with(dir: &Path, options: &[&str]) -> Dev {
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        stand_ins(dir);
        let _ = fs::remove_file(dir.join("dev/env")); // left by a killed run
        let mut command = Command::new(env!("CARGO_BIN_EXE_erp-dev"));
        command.args(["--port=0", "--smtp-port=0", "--mail-port=0", "--workers=2", "--no-demo"]);
        command.args(options).arg("--bin-dir").arg(dir).arg("--dir").arg(dir.join("dev"));
        command.env_remove("DATABASE_URL").stdout(Stdio::null());
        Dev { process: command.spawn().unwrap(), dir: dir.join("dev") }
    }

    /// Waits until the env file exists and satisfies the condition; its variables.
    fn env(
        &mut self,
        condition: impl Fn(&HashMap<String, String>) -> bool,
    ) -> HashMap<String, String> {
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(self.dir.join("env")).unwrap_or_default();
            let env: HashMap<_, _> = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            if !env.is_empty() && condition(&env) {
                return env;
            }
            assert_eq!(self.process.try_wait().unwrap(), None);
            assert!(begun.elapsed() < Duration::from_secs(30), "{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(&self.process.id().to_string()), signal).unwrap();
    }
}

fn pid(id: &str) -> Pid {
    Pid::from_raw(id.parse().unwrap()).unwrap()
}

fn pids(env: &HashMap<String, String>) -> Vec<Pid> {
    format!("{},{}", env["API_PID"], env["WORKER_PIDS"]).split(',').map(pid).collect()
}

fn assert_all_gone(env: &HashMap<String, String>, dir: &Path) {
    let begun = Instant::now();
    let server = dir.join("postgres/data/postmaster.pid");
    while server.exists() || pids(env).into_iter().any(|pid| test_kill_process(pid).is_ok()) {
        assert!(begun.elapsed() < Duration::from_secs(10), "something is left running");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn all_starts_works_restarts_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path());
    let env = dev.env(|env| env["WORKER_PIDS"].contains(','));
    assert!(!env["ADMIN_USERNAME"].is_empty() && env["DATABASE_URL"].contains("/erp?"));

    let smtp =
        SmtpTransport::builder_dangerous("127.0.0.1").port(env["SMTP_PORT"].parse().unwrap());
    let mail = Message::builder()
        .from("erp@x.example".parse().unwrap())
        .to("a@x.example".parse().unwrap());
    smtp.build().send(&mail.body("Bonjour".to_owned()).unwrap()).unwrap();
    assert_eq!(fs::read_dir(dev.dir.join("mails")).unwrap().count(), 1);

    // A worker that dies is replaced, and the file has the new process id.
    let dead = env["WORKER_PIDS"].split(',').next().unwrap().to_owned();
    kill_process(pid(&dead), Signal::KILL).unwrap();
    let env = dev.env(|env| !env["WORKER_PIDS"].contains(&dead));
    assert_eq!(env["WORKER_PIDS"].split(',').count(), 2);

    dev.signal(Signal::TERM);
    assert!(dev.process.wait().unwrap().success());
    assert!(!dev.dir.join("env").exists());
    assert_all_gone(&env, &dev.dir);
    assert!(fs::read_to_string(dev.dir.join("logs/worker-1.log")).unwrap().contains("secret "));
}

#[test]
fn killed_it_leaves_nothing_running_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start(folder.path());
    let env = dev.env(|env| env["WORKER_PIDS"].contains(','));
    dev.process.kill().unwrap();
    dev.process.wait().unwrap();
    assert_all_gone(&env, &dev.dir);

    let mut dev = Dev::start(folder.path());
    let env = dev.env(|env| env["WORKER_PIDS"].contains(','));
    dev.signal(Signal::INT);
    assert!(dev.process.wait().unwrap().success());
    assert_all_gone(&env, &dev.dir);
}

#[test]
fn what_changes_starts_again_and_the_rest_runs_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut dev = Dev::start_with(folder.path(), &["--watch"]);
    let before = dev.env(|env| env["WORKER_PIDS"].contains(','));

    let worker = folder.path().join("erp-worker");
    let script = fs::read_to_string(&worker).unwrap();
    fs::write(&worker, format!("{script}# another\n")).unwrap();
    let old: Vec<_> = before["WORKER_PIDS"].split(',').collect();
    let env = dev.env(|env| {
        let pids = &env["WORKER_PIDS"];
        pids.contains(',') && pids.split(',').all(|pid| !old.contains(&pid))
    });
    assert_eq!(env["API_PID"], before["API_PID"]);
    for pid in old {
        assert!(test_kill_process(self::pid(pid)).is_err(), "the former one still runs");
    }

    let api = folder.path().join("erp-api");
    let script = fs::read_to_string(&api).unwrap();
    fs::write(&api, format!("{script}# another\n")).unwrap();
    let last = dev.env(|env| env["API_PID"] != before["API_PID"]);
    assert_eq!(last["WORKER_PIDS"], env["WORKER_PIDS"]);

    dev.signal(Signal::TERM);
    assert!(dev.process.wait().unwrap().success());
    assert_all_gone(&last, &dev.dir);
}
