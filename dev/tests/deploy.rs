//! The files of deployment agree with the code: metrics, routes, queues, variables, time limits.
//! (`.ci/deploy` checks that the files are well formed.)
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that fails here is meant to fail; statements come from the files themselves"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use erp_core::{
    Config,
    config::{BY_FILE, Env},
};
use erp_dev::TestDb;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor as _};

/// Variables that `.env` cannot set for a container of Compose, which fixes ports and database itself.
const NOT_IN_COMPOSE: [&str; 4] =
    ["BIND_ADDR", "WORKER_BIND_ADDR", "DATABASE_URL", "POSTGRES_PORT"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below `folder` whose names end with `end`.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&name, end));
        } else if name.ends_with(end) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The longest words of `text` that consist of characters of `alphabet`.
fn words(text: &str, alphabet: impl Fn(char) -> bool) -> impl Iterator<Item = &str> {
    text.split(move |c: char| !alphabet(c)).filter(|word| !word.is_empty())
}

fn is_of_names(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

// --- Metrics ---

/// The names of all metrics that `core` registers; a histogram has three series.
fn metrics() -> BTreeSet<String> {
    let source = read("core/src/metrics.rs");
    let mut names = BTreeSet::new();
    for registered in source.split("register_").skip(1) {
        let Some((kind, rest)) = registered.split_once("!(") else { continue };
        if !kind.chars().all(is_of_names) {
            continue; // an import
        }
        let name = rest.split('"').nth(1).unwrap();
        assert!(name.starts_with("erp_"), "{name} is no name of ours");
        if kind.starts_with("histogram") {
            names.extend(["bucket", "sum", "count"].map(|series| format!("{name}_{series}")));
        } else {
            names.insert(name.to_owned());
        }
    }
    assert!(names.len() > 10, "{names:?}");
    names
}

/// File and text of every query of the dashboards and the alerts.
fn queries() -> Vec<(String, String)> {
    fn expressions(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    match value {
                        Value::String(text) if key == "expr" => into.push(text.clone()),
                        _ => expressions(value, into),
                    }
                }
            }
            Value::Array(array) => array.iter().for_each(|value| expressions(value, into)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    for path in files("deploy/prometheus", ".yml") {
        all.push((path.display().to_string(), fs::read_to_string(path).unwrap()));
    }
    for path in files("deploy/grafana", ".json") {
        let board = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut found = Vec::new();
        expressions(&board, &mut found);
        assert!(!found.is_empty(), "{} shows nothing", path.display());
        all.extend(found.into_iter().map(|query| (path.display().to_string(), query)));
    }
    assert!(all.len() > 40);
    all
}

/// The values in `label="…"` in `query`; patterns (`=~`) and templates are left out.
fn values<'a>(query: &'a str, label: &str) -> Vec<&'a str> {
    query.split(&format!("{label}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn dashboards_and_alerts_know_the_metrics_routes_and_queues_that_exist() {
    let metrics = metrics();
    let openapi: Value = serde_json::from_str(&read("docs/openapi.json")).unwrap();
    let queues = read("docs/jobs.md");
    let mut wrong = Vec::new();
    for (file, query) in queries() {
        for name in words(&query, is_of_names).filter(|word| word.starts_with("erp_")) {
            if !metrics.contains(name) {
                wrong.push(format!("{file}: no metric {name}"));
            }
        }
        for route in values(&query, "route") {
            // In the document the probes are at the root only.
            let paths = openapi["paths"].as_object().unwrap();
            if !paths.contains_key(&format!("/api/v1{route}")) && !paths.contains_key(route) {
                wrong.push(format!("{file}: no route {route}"));
            }
        }
        for queue in values(&query, "queue") {
            if !queues.contains(&format!("| `{queue}` |")) {
                wrong.push(format!("{file}: no queue {queue}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_alert_is_explained_tested_and_has_its_page() {
    let alerts = read("deploy/prometheus/alerts.yml");
    let tests = read("deploy/prometheus/alerts_test.yml");
    let runbook = fs::read_to_string(root().join("docs/RUNBOOK.md")).ok();
    // Anchors as GitHub derives them from headings.
    let headings: BTreeSet<String> = runbook
        .iter()
        .flat_map(|text| text.lines())
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        })
        .collect();
    let rules: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 10);
    for rule in rules {
        let name = rule.lines().next().unwrap();
        let anchor = format!("alerte-{}", name.to_lowercase());
        for part in [
            "severity: ",
            "summary: ",
            "description: ",
            &format!("runbook_url: docs/RUNBOOK.md#{anchor}\n"),
        ] {
            assert!(rule.contains(part), "{name} lacks {part}");
        }
        assert!(words(&tests, is_of_names).any(|word| word == name), "{name} is not tested");
        if let Some(runbook) = &runbook {
            let explained =
                runbook.contains(&format!("id=\"{anchor}\"")) || headings.contains(&anchor);
            assert!(explained, "docs/RUNBOOK.md has no {anchor}");
        }
    }
}

// --- Variables ---

/// The variables that the configuration reads: names in its code that have an underscore, or are in the first column of the
/// README's table (`ALGORITHM`, but not `RS256`).
fn variables() -> BTreeSet<String> {
    let readme = read("README.md");
    let in_readme: BTreeSet<&str> = readme
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let mut names = BTreeSet::new();
    for path in files("core/src/config", ".rs") {
        let source = fs::read_to_string(path).unwrap();
        let quoted =
            source.split('"').skip(1).filter(|text| is_variable(text) && !names_a_file(text));
        names.extend(
            quoted.filter(|name| name.contains('_') || in_readme.contains(name)).map(String::from),
        );
    }
    // Quotes in comments could break this parsing; well-known names show whether it worked.
    for known in ["DATABASE_URL", "SECRET_KEY", "ENVIRONMENT", "UPLOAD_URL", "WORKER_QUEUES"] {
        assert!(names.contains(known), "{known} is not among {names:?}");
    }
    names
}

fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_known(name: &str, variables: &BTreeSet<String>) -> bool {
    // Where every program of the system puts what is temporary.
    variables.contains(name) || names_a_file(name) || name == "TMPDIR"
}

/// Whether this variable names a file with a secret (`<NAME>_FILE`).
fn names_a_file(name: &str) -> bool {
    name.strip_suffix("_FILE").is_some_and(|base| BY_FILE.contains(&base))
}

/// The names in `.env.example`, commented out or not.
fn in_env_example() -> BTreeSet<String> {
    read(".env.example")
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once('=')?.0.into())
        .filter(|name| is_variable(name))
        .map(String::from)
        .collect()
}

/// The variables that Compose reads from `.env`: `${NAME}`, `${NAME:-default}`, `${NAME:?why}`.
fn interpolated(compose: &str) -> BTreeSet<String> {
    compose
        .split("${")
        .skip(1)
        .filter_map(|rest| words(rest, is_of_names).next())
        .map(String::from)
        .collect()
}

#[test]
fn env_example_has_every_variable_and_no_other() {
    let (variables, example) = (variables(), in_env_example());
    let compose = interpolated(&read("docker-compose.yml"));
    let missing: Vec<_> =
        variables.union(&compose).filter(|name| !example.contains(*name)).collect();
    assert!(missing.is_empty(), ".env.example lacks {missing:?}");
    let unknown: Vec<_> = example
        .iter()
        // Compose itself reads this one.
        .filter(|name| name.as_str() != "COMPOSE_PROFILES")
        .filter(|name| !is_known(name, &variables) && !compose.contains(*name))
        .collect();
    assert!(unknown.is_empty(), "nobody reads {unknown:?} of .env.example");
}

#[test]
fn compose_passes_every_variable_and_no_other() {
    let (variables, compose) = (variables(), read("docker-compose.yml"));
    let passed: BTreeSet<&str> = compose
        .split("x-environment: &environment\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(name, _)| name)
        .filter(|name| is_variable(name))
        .collect();
    let unknown: Vec<_> = passed.iter().filter(|name| !is_known(name, &variables)).collect();
    assert!(unknown.is_empty(), "the programs do not know {unknown:?}");
    let missing: Vec<_> = variables
        .iter()
        .filter(|name| !NOT_IN_COMPOSE.contains(&name.as_str()))
        .filter(|name| {
            !passed.contains(name.as_str()) && !passed.contains(format!("{name}_FILE").as_str())
        })
        .collect();
    assert!(missing.is_empty(), "docker-compose.yml does not pass {missing:?}");
}

#[test]
fn manifests_set_variables_that_exist() {
    let variables = variables();
    for path in files("deploy/k8s", ".yaml") {
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line = line.trim();
            let name = line
                .strip_prefix("- {name: ")
                .and_then(|rest| rest.split([',', '}']).next())
                .or_else(|| line.strip_prefix("- ").and_then(|rest| Some(rest.split_once('=')?.0)))
                .filter(|name| is_variable(name));
            if let Some(name) = name {
                assert!(is_known(name, &variables), "{}: nobody reads {name}", path.display());
            }
        }
    }
}

// --- The first run ---

#[test]
fn without_its_env_compose_names_what_makes_one() {
    let compose = read("docker-compose.yml");
    let asked: Vec<&str> =
        compose.split(":?").skip(1).filter_map(|rest| rest.split('}').next()).collect();
    assert!(!asked.is_empty());
    for message in asked {
        assert!(message.contains("deploy/prepare"), "« {message} » does not name deploy/prepare");
    }
}

#[test]
fn every_health_check_begins_at_one_second() {
    for file in ["docker-compose.yml", "Dockerfile"] {
        let text = read(file);
        let (intervals, starts) = match file {
            "Dockerfile" => ("--interval=", "--start-interval=1s"),
            _ => ("      interval: ", "      start_interval: 1s\n"),
        };
        assert!(text.contains(intervals), "{file} checks nothing");
        assert_eq!(text.matches(intervals).count(), text.matches(starts).count(), "{file}");
    }
}

#[test]
fn every_container_has_a_bounded_memory_and_a_bounded_log() {
    for file in ["docker-compose.yml", "deploy/traefik/docker-compose.traefik.yml"] {
        let text = read(file);
        let services = text.split("\nservices:\n").nth(1).unwrap();
        let services = services.split("\nvolumes:\n").next().unwrap();
        // A service is a line of two spaces and a name; a service without an image extends one of another file.
        let names = services.lines().filter(|line| {
            line.starts_with("  ") && !line.starts_with("   ") && line.ends_with(':')
        });
        let mut seen = 0;
        for name in names {
            let rest = services.split(&format!("{name}\n")).nth(1).unwrap();
            let body: Vec<&str> = rest
                .lines()
                .take_while(|line| line.is_empty() || line.starts_with("   "))
                .collect();
            let body = body.join("\n");
            let inherits = body.contains("<<: *common") || body.contains("<<: *erp");
            if !inherits && !body.contains("image: ") {
                continue;
            }
            seen += 1;
            assert!(body.contains("limits: {memory: "), "{file}: {name} has no limit of memory");
            assert!(inherits || body.contains("max-size: "), "{file}: {name} may fill the disk");
        }
        assert!(seen > 0, "{file} has no service");
    }
}

/// In a clone made under `umask 077` only the owner can read the files; containers that mount some run as other users.
#[cfg(target_os = "linux")]
#[test]
fn what_containers_mount_may_be_read_after_prepare_whatever_the_clone_allowed() {
    use std::{os::unix::fs::PermissionsExt as _, process::Command};

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let clone = tempfile::tempdir().unwrap();
    let mut mounted = Vec::new();
    for folder in ["deploy/prometheus", "deploy/grafana", "deploy/garage", "deploy/postgres"] {
        for path in files(folder, "") {
            mounted.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
    assert!(mounted.len() > 5);
    for file in mounted
        .iter()
        .map(PathBuf::as_path)
        .chain([".env.example", "deploy/prepare"].into_iter().map(Path::new))
    {
        let copy = clone.path().join(file);
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(root().join(file), &copy).unwrap();
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).unwrap();
    }
    for file in &mounted {
        let copy = clone.path().join(file);
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
        let mut folder = copy.parent().unwrap();
        while folder != clone.path() {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
            folder = folder.parent().unwrap();
        }
    }

    let done = Command::new(clone.path().join("deploy/prepare")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for file in &mounted {
        let copy = clone.path().join(file);
        assert_eq!(mode(&copy) & 0o444, 0o444, "{} is not for all", file.display());
        let folder = copy.parent().unwrap();
        assert_eq!(mode(folder) & 0o555, 0o555, "{} is closed", folder.display());
    }
    assert_eq!(mode(&clone.path().join(".env")) & 0o077, 0, ".env is open");
    assert_eq!(mode(&clone.path().join("secrets")) & 0o077, 0, "secrets/ is open");
}

#[test]
fn nginx_starts_where_debian_has_it() {
    let nginx = read("deploy/nginx/nginx.conf");
    assert!(nginx.contains("\nuser www-data;\n"), "the workers would be nobody");
    // nginx creates this folder, but not its parents.
    let cache = nginx.split("proxy_cache_path ").nth(1).unwrap().split(' ').next().unwrap();
    assert_eq!(Path::new(cache).parent(), Some(Path::new("/var/cache")), "{cache}");
}

// --- Limits that are set in two places ---

/// The number after `before` in `text`.
fn number(text: &str, before: &str) -> u64 {
    let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no {before}"));
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

#[test]
fn what_surrounds_the_programs_gives_them_their_time_and_their_bytes() {
    let config = Config::read(Env::from_pairs(&[
        ("DATABASE_URL", "postgres://erp@localhost/erp"),
        ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
    ]))
    .unwrap();
    let stop = config.worker.shutdown_timeout.as_secs();
    let compose = read("docker-compose.yml");
    assert_eq!(number(&compose, "SHUTDOWN_TIMEOUT: ${SHUTDOWN_TIMEOUT:-"), stop);
    assert!(number(&compose, "stop_grace_period: ${STOP_GRACE_PERIOD:-") > stop);
    let (api, worker) = (read("deploy/k8s/base/api.yaml"), read("deploy/k8s/base/worker.yaml"));
    let grace = "terminationGracePeriodSeconds: ";
    assert!(number(&worker, grace) > stop);
    assert!(number(&api, grace) > stop + number(&api, "preStop: {sleep: {seconds: "));

    // The largest limit in nginx allows an upload with its multipart envelope, but less than twice as much.
    let nginx = read("deploy/nginx/nginx.conf");
    let limit = nginx
        .match_indices("client_max_body_size ")
        .filter(|(at, _)| nginx[at + 21..].starts_with(|c: char| c.is_ascii_digit()))
        .map(|(at, before)| number(&nginx[at..], before))
        .max()
        .unwrap()
        * 1024
        * 1024;
    let upload = config.uploads.max_bytes + 64 * 1024;
    assert!(
        limit >= upload && limit < 2 * upload,
        "nginx allows {limit} bytes, an upload has {upload}"
    );
}

/// The statements of KEDA's example name tables of the queue: they are run on the schema as it is, with two jobs that are ready
/// and one in a queue that is paused.
#[tokio::test]
async fn keda_scales_by_the_jobs_that_are_ready_and_not_paused() {
    let text = read("deploy/k8s/grand/worker-scaling.yaml");
    let statements: Vec<String> = text
        .split("query: >-\n")
        .skip(1)
        .map(|rest| {
            rest.lines()
                .take_while(|line| line.starts_with("          "))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let db = TestDb::new().await;
    for statement in [
        "insert into queue.jobs (id, queue, payload, max_attempts, run_at)
         select n::text, case when n < 2 then 'emails' else 'digest.quotidien' end, '{}'::bytea, 5, now() - interval '1 minute' from generate_series(0, 2) n",
        "insert into queue.settings (queue, paused_at) values ('digest.quotidien', now())",
    ] {
        db.pool.execute(statement).await.unwrap();
    }
    let [ready, oldest] = &statements[..] else { panic!("{statements:?}") };
    let ready: i64 =
        sqlx::query_scalar(AssertSqlSafe(ready.as_str())).fetch_one(&db.pool).await.unwrap();
    let oldest: f64 =
        sqlx::query_scalar(AssertSqlSafe(oldest.as_str())).fetch_one(&db.pool).await.unwrap();
    assert!(ready == 2 && (59.0..600.0).contains(&oldest), "{ready} {oldest}");
}
