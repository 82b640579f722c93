//! `erp-worker doctor` as a process: on a healthy system, and on several broken ones.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use erp_dev::TestDb;
use sqlx::Executor as _;

use support::{
    System,
    command::{self, Said},
};

async fn doctor(system: &System, settings: &[(&str, &str)]) -> Said {
    let environment = command::with(&system.environment, settings);
    command::run(&system.programs.worker, &["doctor"], &environment, "").await
}

/// Asserts that the lines that begin with `word` are those about `names`, in this order.
fn lines_with(said: &Said, word: &str, names: &[&str]) {
    let found: Vec<_> = said
        .out
        .lines()
        .filter_map(|line| line.strip_prefix(word))
        .map(|rest| rest.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(found, names, "{said:?}");
}

fn closed_port() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    port.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_is_well_is_healthy_and_each_fault_is_named_with_what_to_do() {
    let mut system = System::start().await;
    let said = doctor(&system, &[]).await;
    assert_eq!(said.code, 1, "{said:?}");
    lines_with(&said, "ÉCHEC", &["workers", "planifications"]);

    let _worker = system.worker();
    let started = Instant::now();
    let healthy = loop {
        let said = doctor(&system, &[]).await;
        // The worker takes the time zone rules over a moment after its start.
        if said.code == 0 && !said.out.contains("attention") {
            break said;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{said:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(healthy.err.is_empty(), "{healthy:?}");
    let all = [
        "réglages",
        "base",
        "schéma",
        "files",
        "disjoncteurs",
        "workers",
        "planifications",
        "fuseaux",
        "horloge",
        "fichiers",
        "smtp",
    ];
    lines_with(&healthy, "ok", &all);
    assert!(system.mails().is_empty(), "it sends nothing");
    assert_eq!(std::fs::read_dir(system.files.path()).unwrap().count(), 0, "it leaves nothing");

    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = file.path().join("uploads").display().to_string();
    let said = doctor(&system, &[("UPLOAD_DIRECTORY", &below_a_file)]).await;
    assert_eq!(said.code, 1, "{said:?}");
    lines_with(&said, "ÉCHEC", &["fichiers"]);
    assert!(said.line("fichiers").contains("vérifiez UPLOAD_DIRECTORY"), "{said:?}");

    system.stop_smtp().await;
    let said = doctor(&system, &[]).await;
    assert_eq!(said.code, 1, "{said:?}");
    lines_with(&said, "ÉCHEC", &["smtp"]);
    assert!(said.line("smtp").contains("vérifiez SMTP_HOST"), "{said:?}");
    system.start_smtp();

    let said = doctor(&system, &[("SECRET_KEY", "court"), ("SMTP_PORT", "smtp")]).await;
    assert_eq!(said.code, 1, "{said:?}");
    lines_with(&said, "ÉCHEC", &["réglages", "réglages"]);
    lines_with(&said, "non vérifié", &all[1..]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_database_or_its_schema_the_rest_is_still_looked_at() {
    let system = System::start().await;
    let away = format!("postgres://erp:tres-secret@127.0.0.1:{}/erp", closed_port());
    let said = doctor(&system, &[("DATABASE_URL", &away)]).await;
    assert_eq!(said.code, 1, "{said:?}");
    lines_with(&said, "ÉCHEC", &["base"]);
    assert!(
        said.line("base").contains("refused") && said.line("base").contains("vérifiez"),
        "{said:?}"
    );
    lines_with(
        &said,
        "non vérifié",
        &["schéma", "files", "disjoncteurs", "workers", "planifications", "fuseaux", "horloge"],
    );
    lines_with(&said, "ok", &["réglages", "fichiers", "smtp"]);
    assert!(!said.out.contains("tres-secret"), "{said:?}");

    let db = TestDb::new().await;
    let (url, pool) = command::empty_database(&db, "doctor_without_schema").await;
    pool.close().await;
    let said = doctor(&system, &[("DATABASE_URL", &url)]).await;
    assert_eq!(said.code, 1, "{said:?}");
    lines_with(&said, "ÉCHEC", &["schéma"]);
    lines_with(
        &said,
        "non vérifié",
        &["files", "disjoncteurs", "workers", "planifications", "fuseaux"],
    );
    assert!(said.line("schéma").contains("erp-api migrate up"), "{said:?}");
}

/// Repeats the doctor until its output satisfies the condition; that output.
async fn until(system: &System, condition: impl Fn(&Said) -> bool) -> Said {
    let started = Instant::now();
    loop {
        let said = doctor(system, &[]).await;
        if condition(&said) {
            return said;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{said:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The line that has `name` in its second column.
fn about<'a>(said: &'a Said, name: &str) -> &'a str {
    let is_it = |line: &&str| line.chars().skip(13).take(name.chars().count()).eq(name.chars());
    said.out.lines().find(is_it).unwrap_or_else(|| panic!("nothing about {name}: {said:?}"))
}

/// Asserts that the line about `name` begins with `word`, and contains each of `parts`.
fn says(said: &Said, word: &str, name: &str, parts: &[&str]) {
    let line = about(said, name);
    assert!(line.starts_with(word), "{word}: {line}");
    for part in parts {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_has_died_or_is_switched_off_is_named_with_what_to_do() {
    let system = System::start().await;
    let run = async |sql: &'static str| {
        system.ctx.pool.execute(sql).await.unwrap();
    };
    // No worker serves the queue of photos, where a job has been ready for ten minutes.
    let _worker = system.worker_with(&[("WORKER_QUEUES", "emails")]);
    run("insert into queue.jobs (id, queue, payload, max_attempts, run_at)
         values ('photo', 'documents.process', '{}', 3, now() - interval '10 minutes')")
    .await;
    let said = until(&system, |said| about(said, "workers").contains("personne ne sert")).await;
    assert_eq!(said.code, 1, "{said:?}");
    says(&said, "ÉCHEC", "workers", &["documents.process", "WORKER_QUEUES"]);
    says(
        &said,
        "ÉCHEC",
        "files",
        &["prêtes attendent depuis ", " s : documents.process", "lancez des workers"],
    );

    run("delete from queue.jobs").await;
    run("insert into queue.ended (id, queue, payload, outcome, attempts, max_attempts, rescues, run_at, created_at, ended_at)
         values ('photo', 'documents.process', '{}', 'dead', 3, 3, 0, now(), now(), now())")
    .await;
    run("insert into queue.breakers (name, failures, open_since, last_error, probe_at)
         values ('storage', 5, '2026-11-24T06:30:00Z', 'disque plein', now() + interval '1 hour')
         on conflict (name) do update set failures = 5, open_since = excluded.open_since, last_error = excluded.last_error,
            probe_at = excluded.probe_at")
    .await;
    let said = until(&system, |said| about(said, "planifications").starts_with("ok")).await;
    says(&said, "attention", "files", &["1 tâches mortes : documents.process", "state=dead"]);
    says(
        &said,
        "ÉCHEC",
        "disjoncteurs",
        &["storage depuis 2026-11-24 06:30 UTC (disque plein)", "attendent : documents.process"],
    );

    run("delete from queue.ended").await;
    run("insert into queue.settings (queue, paused_at, paused_by) values ('documents.process', now(), 'samira')")
        .await;
    run("update schedules set enabled = false where name = 'planning.rappel'").await;
    let said = doctor(&system, &[]).await;
    says(&said, "attention", "files", &["en pause : documents.process", "/resume"]);
    says(&said, "attention", "planifications", &["désactivées : planning.rappel", "PUT"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_a_relay_and_a_schema_that_are_others_are_named_with_what_to_do() {
    let system = System::start().await;
    // The address is not that of a bucket.
    let bucket = [
        ("UPLOAD_URL", "s3://erp/mif"),
        ("AWS_ENDPOINT_URL", system.url.as_str()),
        ("AWS_ACCESS_KEY_ID", "erp"),
        ("AWS_SECRET_ACCESS_KEY", "secret-du-bac"),
        ("AWS_ALLOW_HTTP", "true"),
    ];
    let said = doctor(&system, &bucket).await;
    says(&said, "ÉCHEC", "fichiers", &["s3://erp/mif", "vérifiez UPLOAD_URL"]);
    assert!(!said.out.contains("secret-du-bac"), "{said:?}");
    // The relay of this machine does not offer a login.
    let said =
        doctor(&system, &[("SMTP_USER", "erp"), ("SMTP_PASSWORD", "secret-du-relais")]).await;
    says(&said, "attention", "smtp", &["ne demande pas d'identification", "retirez SMTP_USER"]);
    assert!(!said.out.contains("secret-du-relais"), "{said:?}");

    let db = TestDb::new().await;
    let (url, pool) = command::empty_database(&db, "doctor_other_schema").await;
    erp_core::migrate(&pool).await.unwrap();
    let newer =
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (29990101000000, 'demain', true, 'x', 1)";
    pool.execute(newer).await.unwrap();
    let said = doctor(&system, &[("DATABASE_URL", &url)]).await;
    says(&said, "ok", "schéma", &["et 1 plus récentes"]);
    let changed = "update _sqlx_migrations set checksum = 'y' where version = 20261124000001";
    pool.execute(changed).await.unwrap();
    let said = doctor(&system, &[("DATABASE_URL", &url)]).await;
    says(&said, "ÉCHEC", "schéma", &["20261124000001", "erp-api migrate status"]);
    assert_eq!(said.code, 1, "{said:?}");
}
