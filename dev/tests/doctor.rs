//! `erp-worker doctor` as a process: on a system that is well, and on some that are not.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant};

use erp_dev::TestDb;

use support::{
    System,
    command::{self, Said},
};

async fn doctor(system: &System, settings: &[(&str, &str)]) -> Said {
    let environment = command::with(&system.environment, settings);
    command::run(&system.programs.worker, &["doctor"], &environment, "").await
}

/// Exactly the lines about `names` say so.
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
        // The rules of time zones are taken over a moment after the start.
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
