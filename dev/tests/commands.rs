//! The commands of `erp-api` as processes.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and looks at schemas that are not ours"
)]

mod support;

use std::time::{Duration, Instant};

use erp_core::{MIGRATOR, Schema, migrate};
use erp_dev::{TestDb, run::Programs};
use serde_json::Value;
use sqlx::PgPool;

use support::{
    Program,
    command::{self, Said},
};

/// What operators read first, as it was approved (`snapshots/`; renewed with `INSTA_UPDATE=always`).
#[tokio::test]
async fn the_programs_say_what_they_can_do() {
    let programs = erp_dev::run::programs(None, false).await.unwrap();
    for (name, program, args) in [
        ("erp-api", &programs.api, &["--help"][..]),
        ("erp-api migrate", &programs.api, &["migrate", "--help"]),
        ("erp-api create-admin", &programs.api, &["create-admin", "--help"]),
        ("erp-worker", &programs.worker, &["--help"]),
        ("erp-worker doctor", &programs.worker, &["doctor", "--help"]),
    ] {
        let said = command::run(program, args, &[], "").await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{name}");
        insta::assert_snapshot!(name.replace(' ', "_"), said.out);
    }
}

/// A database of one's own, and the programs with the settings to use it.
struct Place {
    programs: Programs,
    environment: Vec<(String, String)>,
    pool: PgPool,
    files: tempfile::TempDir,
    _db: TestDb,
}

impl Place {
    async fn new(name: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = erp_dev::run::programs(None, false).await.unwrap();
        let db = TestDb::new().await;
        let (url, pool) = command::empty_database(&db, name).await;
        let files = tempfile::tempdir().unwrap();
        let uploads = files.path().display().to_string();
        let environment = command::with(
            &[],
            &[
                ("DATABASE_URL", &url),
                ("SECRET_KEY", "the key of tests, long enough to sign"),
                ("UPLOAD_DIRECTORY", &uploads),
                ("SMTP_PASSWORD", "tres-secret"),
            ],
        );
        Self { programs, environment, pool, files, _db: db }
    }

    async fn api(&self, args: &[&str]) -> Said {
        self.api_reading(args, "").await
    }

    async fn api_reading(&self, args: &[&str], input: &str) -> Said {
        command::run(&self.programs.api, args, &self.environment, input).await
    }
}

fn versions() -> Vec<i64> {
    MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration()).map(|m| m.version).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_are_shown_applied_and_taken_back_when_one_insists() {
    let place = Place::new("commands_migrate").await;
    let said = place.api(&["migrate", "status"]).await;
    assert_eq!(
        (said.code, said.out.matches("en attente").count()),
        (0, versions().len()),
        "{said:?}"
    );
    let said = place.api(&["migrate"]).await;
    assert_eq!((said.code, said.out.trim()), (0, "Le schéma est à jour."), "{said:?}");
    assert_eq!(place.api(&["migrate", "up"]).await.code, 0, "once more changes nothing");
    let said = place.api(&["migrate", "status"]).await;
    assert_eq!(said.out.matches("appliquée").count(), versions().len(), "{said:?}");

    assert_eq!(place.api(&["migrate", "down"]).await.code, 2, "without --to it is refused");
    let said = place.api(&["migrate", "down", "--to", "5"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    let to = versions()[0].to_string();
    let said = place.api(&["migrate", "down", "--to", &to]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.out.contains("perdu : drop table limites"), "{said:?}");
    assert!(said.out.contains("perdu : alter table plannings drop column jour"), "{said:?}");
    assert!(said.err.contains("Rien n'a été changé"), "{said:?}");
    assert_eq!(migrate::schema(&place.pool).await.unwrap(), Schema::Current);
    let said = place.api(&["migrate", "down", "--to", &to, "--yes"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let said = place.api(&["migrate", "status"]).await;
    assert_eq!(said.out.matches("en attente").count(), versions().len() - 1, "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_migrations_are_taken_back_by_their_number() {
    let place = Place::new("commands_steps").await;
    assert_eq!(place.api(&["migrate"]).await.code, 0);
    let last = versions().pop().unwrap();
    let said = place.api(&["migrate", "down", "--steps", "1"]).await;
    assert_eq!((said.code, said.out.matches("Serait défait").count()), (1, 1), "{said:?}");
    assert!(said.out.contains(&last.to_string()), "{said:?}");
    assert_eq!(place.api(&["migrate", "down", "--steps", "2", "--yes"]).await.code, 0);
    let said = place.api(&["migrate", "status"]).await;
    assert_eq!(said.out.matches("en attente").count(), 2, "{said:?}");
    for wrong in [&["--steps", "0"][..], &["--steps", "-1"], &["--steps", "1", "--to", "0"]] {
        let said = place.api(&[&["migrate", "down"], wrong].concat()).await;
        assert_eq!(said.code, 2, "{said:?}");
    }
    let all = (versions().len() + 5).to_string();
    assert_eq!(place.api(&["migrate", "down", "--steps", &all, "--yes"]).await.code, 0);
    let said = place.api(&["migrate", "status"]).await;
    assert_eq!(said.out.matches("en attente").count(), versions().len(), "{said:?}");
}

/// The `.env` of the old backend's runbook, byte for byte.
const OLD_ENV: &str = r#"# Sécurité
SECRET_KEY=change_me
ALGORITHM=HS256
ACCESS_TOKEN_EXPIRE_MINUTES=60

# Base de données (prod/docker)
POSTGRES_USER=erp_user
POSTGRES_PASSWORD=erp_pass
POSTGRES_DB=erp_db
POSTGRES_HOST=db
POSTGRES_PORT=5432

# CORS
CORS_ALLOW_ORIGINS=["http://localhost:3000","http://localhost:8000"]

# Uploads (par défaut)
UPLOAD_DIRECTORY=app/static/uploads

# Emails (dev)
SMTP_HOST=localhost
SMTP_PORT=1025
SMTP_USER=user
SMTP_PASSWORD=password
EMAILS_FROM_EMAIL=no-reply@example.com

# Scheduler
ENABLE_SCHEDULER=false
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_env_file_of_the_old_runbook_is_read_as_it_is() {
    let programs = erp_dev::run::programs(None, false).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), OLD_ENV).unwrap();
    let run = |program: &std::path::Path, environment: &str, args: &[&str]| {
        let done = std::process::Command::new(program)
            .args(args)
            .current_dir(folder.path())
            .env_clear()
            .env("ENVIRONMENT", environment)
            .envs(support::profile())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let said = [&done.stdout[..], &done.stderr].concat();
        (done.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = run(&programs.api, "dev", &["check-config"]);
    assert_eq!(code, Some(0), "{said}");
    for read in ["http://localhost:8000", "erp_user", "app/static/uploads", "no-reply@example.com"]
    {
        assert!(said.contains(read), "{read}: {said}");
    }
    assert!(!said.contains("erp_pass") && !said.contains("change_me"), "{said}");
    // The database of this file does not exist here; only the check of the settings succeeds.
    let (_, said) = run(&programs.worker, "dev", &["doctor"]);
    assert!(said.contains("ok           réglages"), "{said}");
    let (code, said) = run(&programs.api, "production", &["check-config"]);
    assert!(code == Some(2) && said.contains("SECRET_KEY"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_is_ready_with_at_least_its_own_migrations() {
    let place = Place::new("commands_ready").await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let bound = format!("127.0.0.1:{port}");
    let environment = command::with(&place.environment, &[("BIND_ADDR", &bound)]);
    let _api = Program::start(&place.programs.api, &environment);
    let client = reqwest::Client::new();
    let ready = async || {
        let started = Instant::now();
        loop {
            if let Ok(answer) = client.get(format!("http://{bound}/ready")).send().await {
                let status = answer.status().as_u16();
                let body: Value = answer.json().await.unwrap();
                return (status, body["checks"]["schema"].as_str().unwrap().to_owned());
            }
            assert!(started.elapsed() < Duration::from_mins(1), "it does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let is = |status: u16, schema: &str| (status, schema.to_owned());
    assert_eq!(ready().await, is(503, "migrations manquantes"));
    migrate::migrate(&place.pool).await.unwrap();
    assert_eq!(ready().await, is(200, "ok"));

    let run = async |sql: &'static str| sqlx::raw_sql(sql).execute(&place.pool).await.unwrap();
    run("insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (29990101000000, 'demain', true, 'x', 1)")
    .await;
    assert_eq!(ready().await, is(200, "ok (plus récent)"));
    assert_eq!(place.api(&["migrate"]).await.code, 0, "the version before has nothing to do");
    let said = place.api(&["migrate", "status"]).await;
    assert!(said.line("29990101000000").contains("plus récente"), "{said:?}");
    let said = place.api(&["migrate", "down", "--to", "0", "--yes"]).await;
    assert!(said.code == 1 && said.err.contains("ne connaît pas"), "{said:?}");

    run("update _sqlx_migrations set checksum = 'y' where version = 20261124000001").await;
    assert_eq!(ready().await, is(503, "migrations manquantes"));
    let said = place.api(&["migrate", "status"]).await;
    assert!(said.line("20261124000001").contains("MODIFIÉE"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_people_come_by_command_and_their_passwords_by_no_argument() {
    let place = Place::new("commands_people").await;
    migrate::migrate(&place.pool).await.unwrap();
    let who = ["--username", "nadia", "--full-name", "Nadia Cherkaoui", "--email", "n@mif.example"];
    let create = [&["create-admin"], &who[..]].concat();
    let said = place.api_reading(&create, "12345678\n").await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.starts_with("password : Ce mot de passe est trop facile"), "{said:?}");
    let said = place.api_reading(&create, "cheval batterie agrafe\n").await;
    assert_eq!(said.code, 0, "{said:?}");
    let file = place.files.path().join("password");
    std::fs::write(&file, "cheval batterie agrafe\n").unwrap();
    let by_file = [&create[..], &["--password-file", file.to_str().unwrap()]].concat();
    let said = place.api(&by_file).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("déjà"), "{said:?}");

    let said = place.api(&["seed"]).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("que dans une base vide"), "{said:?}");
    sqlx::raw_sql("delete from users").execute(&place.pool).await.unwrap();
    let said = place.api(&["seed"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let counts: Vec<i64> = sqlx::query_scalar(
        "select count(*) from users union all select count(*) from equipements
        union all select count(*) from interventions union all select count(*) from queue.jobs",
    )
    .fetch_all(&place.pool)
    .await
    .unwrap();
    assert_eq!(counts[..3], [4, 3, 3], "people, machines, interventions");
    assert_eq!(counts[3], 0, "no mail goes out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_audit_is_verified_by_command() {
    let place = Place::new("commands_audit").await;
    migrate::migrate(&place.pool).await.unwrap();
    let verify = async || place.api(&["audit", "verify"]).await;
    let said = verify().await;
    assert_eq!(said.code, 0, "{said:?}");
    for name in ["nadia", "karim"] {
        let email = format!("{name}@mif.example");
        let create = ["create-admin", "--username", name, "--full-name", "X Y", "--email", &email];
        let said = place.api_reading(&create, "cheval batterie agrafe\n").await;
        assert_eq!(said.code, 0, "{said:?}");
    }
    let said = verify().await;
    assert!(said.code == 0 && said.out.contains("2 lignes de 1 jours"), "{said:?}");
    assert!(said.line("Fin de la chaîne").contains("ligne 2, "), "{said:?}");

    let tamper = "begin; set local session_replication_role = replica;
        update audit set cible_id = '77' where numero = 1; commit";
    sqlx::raw_sql(tamper).execute(&place.pool).await.unwrap();
    let said = verify().await;
    assert!(said.code == 1 && said.err.contains("a été changée"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_are_shown_with_their_sources_and_without_secrets() {
    let place = Place::new("commands_settings").await;
    let said = place.api(&["check-config"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.line("SMTP_PASSWORD ").ends_with("= ***   (environnement)"), "{said:?}");
    assert!(said.line("SMTP_PORT ").ends_with("(par défaut)"), "{said:?}");
    for secret in ["tres-secret", "the key of tests", "postgres://"] {
        assert!(!said.out.contains(secret), "{secret}: {said:?}");
    }
    for (args, named) in [
        (&["--help"][..], "rotate-keys"),
        (&["migrate", "--help"], "status"),
        (&["create-admin", "--help"], "--password-file"),
    ] {
        let said = place.api(args).await;
        assert!(said.code == 0 && said.out.contains(named), "{said:?}");
    }
}
