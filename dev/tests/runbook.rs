//! The RUNBOOK is correct: what it names exists, and its commands run. And a backup can be restored.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Words in capitals in the RUNBOOK that are not settings of the programs.
const NO_SETTINGS: [&str; 22] = [
    "ADMIN_PASSWORD",
    "ADMIN_USERNAME",
    "API_URL",
    "APP_PASSWORD_FILE",
    "MIGRATE_DATABASE_URL",
    "MIGRATE_PASSWORD_FILE",
    "PR_SET_PDEATHSIG",
    "RLIMIT_AS",
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RUST_BACKTRACE",
    "CARGO_TARGET_DIR",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER",
    "MAIL_URL",
    "SAUVEGARDE_PG",
    "SECRET_KEY_FILE",
    "SECRET_KEY_PREVIOUS_FILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A fenced block: its first line in the file, the text after the fence, its content.
struct Block {
    line: usize,
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let mut inside = false;
    for (number, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), inside) {
            (Some(info), false) => {
                all.push(Block { line: number + 2, info: info.to_owned(), text: String::new() });
                inside = true;
            }
            (Some(_), true) => inside = false,
            (None, true) => {
                let text = &mut all.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!inside, "a block is not closed");
    all
}

/// All texts marked as code: spans, and lines of blocks.
fn code(page: &str) -> Vec<String> {
    let mut all: Vec<String> = blocks(page)
        .into_iter()
        .flat_map(|block| block.text.lines().map(String::from).collect::<Vec<_>>())
        .collect();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if !inside {
            all.extend(line.split('`').skip(1).step_by(2).map(String::from));
        }
    }
    all
}

fn words(text: &str, of: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c: char| !of(c)).filter(|word| !word.is_empty())
}

// --- The programs, built once ---

/// The folder of `erp-api`, `erp-worker` and `erp-dev`.
fn programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let programs = runtime.block_on(erp_dev::run::programs(None, false)).unwrap();
        programs.api.parent().unwrap().to_owned()
    })
}

/// A process that gets SIGTERM when the test ends, and is killed if it does not stop.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.0),
            rustix::process::Signal::TERM,
        );
        let told = Instant::now();
        while self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            if told.elapsed() > Duration::from_secs(40) {
                let _ = self.0.kill();
                let _ = self.0.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether this machine has the tools that the scripts of `deploy/` call. (`.ci/run` installs them.)
fn has_tools() -> bool {
    if !cfg!(target_os = "linux") {
        eprintln!("NOT TESTED: the scripts of deploy/ want the tools of GNU");
        return false;
    }
    let lacking: Vec<_> = ["bash", "curl", "jq", "psql", "pg_dump", "python3"]
        .into_iter()
        .filter(|tool| {
            let asked = Command::new(tool).arg("--version").stdout(Stdio::null()).status();
            !asked.is_ok_and(|status| status.success())
        })
        .collect();
    if !lacking.is_empty() {
        eprintln!("NOT TESTED: this machine lacks {lacking:?}");
    }
    lacking.is_empty()
}

// --- Names ---

#[test]
fn links_lead_somewhere() {
    let page = read("docs/RUNBOOK.md");
    let anchors: BTreeSet<&str> =
        page.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut wrong = Vec::new();
    for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if target.starts_with("http") {
            continue;
        }
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        if !file.is_empty() && !root().join("docs").join(file).exists() {
            wrong.push(format!("no file {file}"));
        }
        if file.is_empty() && !anchors.contains(anchor) {
            wrong.push(format!("no anchor #{anchor}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Whether a route of the document has this path; a parameter of the route matches any text.
fn is_route(path: &str, paths: &serde_json::Map<String, Value>) -> bool {
    let path = path.split(['?', '#']).next().unwrap().trim_end_matches('/');
    let below = path.strip_prefix("/api/v1").unwrap_or(path);
    [format!("/api/v1{below}"), below.to_owned()].iter().any(|path| {
        paths.keys().any(|known| {
            known.split('/').count() == path.split('/').count()
                && known.split('/').zip(path.split('/')).all(|(k, p)| k == p || k.starts_with('{'))
        })
    })
}

#[test]
fn routes_files_and_settings_exist() {
    const SERVED_TOO: [&str; 4] = ["/docs", "/redoc", "/openapi.json", "/static/uploads"];
    let page = read("docs/RUNBOOK.md");
    let openapi: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    let paths = openapi["paths"].as_object().unwrap();
    let mut settings = read(".env.example");
    for entry in fs::read_dir(root().join("core/src/config")).unwrap() {
        settings.push_str(&fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    let settings: BTreeSet<&str> =
        words(&settings, |c| c.is_ascii_alphanumeric() || c == '_').collect();
    let mut wrong = BTreeSet::new();
    for code in code(&page) {
        // `GET /path`, `/path`, `api /path`, `api "/path…"`
        let route = ["GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "api ", "api \"", ""]
            .iter()
            .filter_map(|before| code.split(*before).nth(usize::from(!before.is_empty())))
            .find(|rest| rest.starts_with('/'));
        if let Some(route) = route.and_then(|rest| rest.split([' ', '"', ')']).next()) {
            let elsewhere = ["/run/", "/data/", "/srv/", "/usr/", "/var/", "/sauvegardes"];
            let ours = !elsewhere.iter().any(|folder| route.starts_with(folder));
            let served = SERVED_TOO.contains(&route.trim_end_matches('/'));
            if ours && !served && !is_route(route, paths) {
                wrong.insert(format!("no route {route}"));
            }
        }
        let of_paths = |c: char| c.is_alphanumeric() || "/._-".contains(c);
        for word in words(&code, of_paths) {
            let ours = ["deploy/", "docs/", "api/src", "core/", "dev/", ".ci/", "templates/"];
            if ours.iter().any(|folder| word.starts_with(folder)) && !root().join(word).exists() {
                wrong.insert(format!("no file {word}"));
            }
        }
        for name in words(&code, |c| c.is_ascii_alphanumeric() || c == '_') {
            let is_setting = name.contains('_')
                && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                && name.starts_with(|c: char| c.is_ascii_uppercase());
            if is_setting && !settings.contains(name) && !NO_SETTINGS.contains(&name) {
                wrong.insert(format!("nobody reads {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_setting_is_explained() {
    let page = read("docs/RUNBOOK.md");
    let compose_only = "=== Compose seulement";
    let example = read(".env.example");
    let missing: Vec<_> = example
        .split(compose_only)
        .next()
        .unwrap()
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .filter(|name| !page.contains(&format!("`{}`", name.trim_end_matches("_FILE"))))
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "docs/RUNBOOK.md says nothing of {missing:?}");
}

#[test]
fn commands_exist() {
    let page = read("docs/RUNBOOK.md");
    for program in ["erp-api", "erp-worker"] {
        let help = Command::new(programs().join(program)).arg("--help").output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap();
        let known: BTreeSet<&str> =
            help.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
        for code in code(&page) {
            for rest in code.split(&format!("{program} ")).skip(1) {
                let command = rest.split([' ', ';', ')']).next().unwrap();
                if command.starts_with(|c: char| c.is_ascii_lowercase()) {
                    assert!(known.contains(command), "{program} {command}: not in\n{help}");
                }
            }
        }
    }
}

// --- Commands ---

#[test]
fn the_commands_marked_for_it_run_in_their_order() {
    if !has_tools() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    symlink(root().join("deploy"), dir.path().join("deploy")).unwrap();
    let log = fs::File::create(dir.path().join("log")).unwrap();
    let system = Command::new(env!("CARGO_BIN_EXE_erp-dev"))
        .args(["--port", "0", "--smtp-port", "0", "--mail-port", "0", "--bin-dir"])
        .arg(programs())
        .current_dir(dir.path())
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn();
    let mut system = Running(system.unwrap());
    let started = Instant::now();
    while !dir.path().join(".dev/env").exists() {
        let log = || fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(system.0.try_wait().unwrap().is_none(), "{}", log());
        assert!(started.elapsed() < Duration::from_mins(2), "{}", log());
        std::thread::sleep(Duration::from_millis(100));
    }

    let page = read("docs/RUNBOOK.md");
    let marked: Vec<String> = blocks(&page)
        .into_iter()
        .filter(|block| block.info == "bash essai")
        .map(|block| format!("echo '-- docs/RUNBOOK.md:{}'\n{}", block.line, block.text))
        .collect();
    assert!(marked.len() > 10, "{}", marked.len());
    let script = format!("set -euo pipefail\n{}", marked.concat());
    fs::write(dir.path().join("script"), script).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::env::join_paths(
        std::iter::once(programs().to_owned()).chain(std::env::split_paths(&path)),
    )
    .unwrap();
    let done = Command::new("bash")
        .arg("script")
        .current_dir(dir.path())
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let said: Vec<&str> = said.lines().collect();
    let end = said[said.len().saturating_sub(25)..].join("\n");
    assert!(done.status.success(), "{end}\n{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_system_that_works_is_backed_up_and_comes_back() {
    let said = rehearse("restauration");
    assert!(said.is_none_or(|said| said.contains("restauration : prouvée")));
}

#[test]
fn a_day_goes_as_it_is_told() {
    let told = std::fs::read_to_string(root().join("docs/journee.md")).unwrap();
    let Some(said) = rehearse("journee") else { return };
    // Lines with request ids or the year differ from run to run.
    let lines = |text: &str| -> Vec<String> {
        let varies = |line: &str| line.contains("request_id") || line.contains("annee");
        let known = |line: &&str| !varies(line) && !line.trim().is_empty();
        text.lines().filter(known).map(str::to_owned).collect()
    };
    let (_, told) = told.split_once("```text\n").unwrap();
    let (told, _) = told.split_once("```").unwrap();
    assert_eq!(lines(&said), lines(told), "`deploy/essais/journee target/debug` says it anew");
}

/// Runs a script of `deploy/essais` with the programs of this build; its output. `None`: a tool is missing.
fn rehearse(script: &str) -> Option<String> {
    if !has_tools() {
        return None;
    }
    let done = Command::new(root().join("deploy/essais").join(script))
        .arg(programs())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    Some(said)
}
