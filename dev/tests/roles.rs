//! The two roles of deploy/postgres/roles.sql: the programs do a whole day's work with a role that owns nothing.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and may look anywhere"
)]

mod support;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use erp_core::{schedules, time_rules};
use erp_dev::{
    TestDb, samples,
    zoneinfo::{self, RULES_2025B, RULES_2026C},
};
use rustix::process::Signal;
use sqlx::{AssertSqlSafe, PgPool};

use support::{
    System,
    command::{self, Said},
};

const KEY: &str = "the key of tests, long enough to sign";

/// A separate database, and the names of two roles that are unique in this cluster.
struct Place {
    db: TestDb,
    url: String,
    /// As a superuser.
    pool: PgPool,
    migrate: String,
    app: String,
}

impl Place {
    async fn new(name: &str) -> Self {
        let db = TestDb::new().await;
        let (url, pool) = command::empty_database(&db, name).await;
        let database: String =
            sqlx::query_scalar("select current_database()::text").fetch_one(&pool).await.unwrap();
        let place =
            Self { db, url, pool, migrate: format!("{database}_m"), app: format!("{database}_a") };
        // Roles left by a killed run: the database that they belonged to is gone.
        for role in [&place.app, &place.migrate, &place.single()] {
            place.as_superuser(&format!("drop role if exists {role}")).await;
        }
        place
    }

    /// The single role of an earlier installation.
    fn single(&self) -> String {
        format!("{}_s", self.migrate.trim_end_matches("_m"))
    }

    async fn as_superuser(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    /// The address of the database for `role`.
    fn url_of(&self, role: &str) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap();
        let (_, host) = rest.split_once('@').unwrap();
        format!("{scheme}://{role}@{host}")
    }

    async fn pool_of(&self, role: &str) -> PgPool {
        PgPool::connect(&self.url_of(role)).await.unwrap()
    }

    /// Runs deploy/postgres/roles.sql as its header describes.
    async fn make_roles(&self, as_role: Option<&str>) -> Said {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let script = root().join("deploy/postgres/roles.sql").display().to_string();
        let url = as_role.map_or_else(|| self.url.clone(), |role| self.url_of(role));
        let (migrate, app) = (format!("migrate={}", self.migrate), format!("app={}", self.app));
        let args = ["-X", "-d", url.as_str(), "-v", &migrate, "-v", &app, "-f", &script];
        let environment = [
            ("PATH".to_owned(), std::env::var("PATH").unwrap()),
            ("MIGRATE_PASSWORD_FILE".to_owned(), file("migrate", "l'un des « mots »\n")),
            ("APP_PASSWORD_FILE".to_owned(), file("app", "et 'l\"autre\n")),
        ];
        let said = command::run(Path::new("psql"), &args, &environment, "").await;
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{said:?}");
        said
    }

    async fn api(&self, role: &str, args: &[&str], settings: &[(&str, &str)]) -> Said {
        let programs = erp_dev::run::programs(None, false).await.unwrap();
        let url = self.url_of(role);
        let environment = [("DATABASE_URL", url.as_str()), ("SECRET_KEY", KEY)];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let environment = command::with(&environment, settings);
        command::run(&programs.api, args, &environment, "").await
    }

    async fn migrate(&self) {
        let role = [("DATABASE_APP_ROLE", self.app.as_str()), ("AUDIT_DAYS", "400")];
        let said = self.api(&self.migrate, &["migrate"], &role).await;
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains(&self.app), "{said:?}");
    }

    async fn end(self) {
        self.pool.close().await;
        let name = self.migrate.trim_end_matches("_m").to_owned();
        let run = async |statement: String| {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&self.db.pool).await.unwrap();
        };
        run(format!("drop database {name} with (force)")).await;
        for role in [self.app.clone(), self.migrate.clone(), self.single()] {
            run(format!("drop role if exists {role}")).await;
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Polls `is_so` until it is true.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !is_so().await {
        assert!(started.elapsed() < Duration::from_mins(3), "not within three minutes: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs `sql`, which Postgres must refuse; the message of the error.
async fn refused(pool: &PgPool, sql: &str) -> String {
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(pool).await;
    let Err(error) = done else { panic!("done: {sql}") };
    error.as_database_error().unwrap_or_else(|| panic!("{sql}: {error}")).message().to_owned()
}

async fn done(pool: &PgPool, queue: &str) -> i64 {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from queue.ended where queue = $1 and outcome = 'done'"#,
        queue,
    );
    count.fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_do_a_whole_days_work_under_a_role_that_can_change_nothing_of_the_schema() {
    let place = Place::new("roles_day").await;
    place.make_roles(None).await;
    place.migrate().await;
    let app = place.pool_of(&place.app).await;
    let tree = tempfile::tempdir().unwrap();
    let tzdir = tree.path().to_str().unwrap();
    zoneinfo::write(tree.path(), "2126a", RULES_2025B).unwrap();

    // `DATABASE_APP_ROLE`, which is meant for `migrate`, does no harm in the programs.
    let settings = [("DATABASE_APP_ROLE", place.app.as_str()), ("TZDIR", tzdir)];
    let output = tempfile::NamedTempFile::new().unwrap();
    let url = place.url_of(&place.app);
    let system = System::on_with(url, app.clone(), &settings, Some(output.path())).await;
    let (worker, second) = (system.worker(), system.worker());

    // Work of users: a failed and a successful sign-in; an intervention, a file, a mail; a deleted document.
    let form = |name: &'static str, password: &'static str| {
        let url = format!("{}/auth/login", system.url);
        system.client.post(url).form(&[("username", name), ("password", password)]).send()
    };
    assert_eq!(form("responsable", "pas le bon").await.unwrap().status(), 401);
    assert_eq!(form("responsable", "atlas pompe quai 4").await.unwrap().status(), 200);
    let intervention = system.intervention().await;
    system.upload(&intervention, samples::jpeg(800, 600, 1)).await;
    let told = system.person("hamid").await;
    system.tell("information", told, &intervention, "bonjour").await;
    system.until_ready(1).await;
    system.until_settled(told).await;
    assert_eq!(system.mails().len(), 1);
    let document: i64 =
        sqlx::query_scalar("select id from documents").fetch_one(&app).await.unwrap();
    let url = format!("{}/documents/{document}", system.url);
    let deleted = system.client.delete(url).bearer_auth(&system.token).send().await.unwrap();
    assert_eq!(deleted.status(), 200);

    every_schedule_runs(&system, &app).await;

    // A worker that is killed while it works; new time zone rules; the doctor and `audit verify`.
    for _ in 0..12 {
        system.upload(&intervention, samples::jpeg(1600, 1200, 1)).await;
    }
    system.until_ready(1).await;
    worker.signal(Signal::KILL);
    system.until_ready(12).await;
    zoneinfo::write(tree.path(), "2126b", RULES_2026C).unwrap();
    until("the new rules", async || {
        time_rules::version(&app).await.unwrap().is_some_and(|v| v.to_string() == "2126b")
    })
    .await;
    until("all jobs are done", async || {
        let open: i64 =
            sqlx::query_scalar("select count(*) from queue.jobs").fetch_one(&app).await.unwrap();
        open == 0
    })
    .await;
    let doctor = command::run(&system.programs.worker, &["doctor"], &system.environment, "").await;
    assert_eq!(doctor.code, 0, "{doctor:?}");
    let verify = place.api(&place.app, &["audit", "verify"], &[]).await;
    assert_eq!(verify.code, 0, "{verify:?}");

    nobody_was_refused(&app, output.path()).await;
    drop(second);
    drop(system);

    may_not(&place, &app).await;

    // It may not migrate either, and gets an error; and `migrate` refuses to give rights to a role that does not exist.
    let said = place.api(&place.app, &["migrate", "down", "--to", "0", "--yes"], &[]).await;
    let refused = said.err.contains("owner") || said.err.contains("permission denied");
    assert!(said.code != 0 && refused, "{said:?}");
    let unknown = [("DATABASE_APP_ROLE", "personne")];
    let said = place.api(&place.migrate, &["migrate"], &unknown).await;
    assert!(said.code != 0 && said.err.contains("« personne »"), "{said:?}");
    app.close().await;
    place.end().await;
}

/// Runs every schedule, including purge and reconciler; a day of the audit is old enough to be pruned.
async fn every_schedule_runs(system: &System, app: &PgPool) {
    let old = "insert into audit (jour, horodatage, action) values ('2020-02-02', '2020-02-02 10:00Z', 'connexion')";
    sqlx::raw_sql(old).execute(app).await.unwrap();
    // The statements by which programs of the previous release find due schedules, and set the next date.
    let former = "begin; select name from schedules where enabled order by name for update skip locked;
        update schedules set next_run_at = next_run_at, updated_at = now() where name = 'planning.rappel'; commit";
    sqlx::raw_sql(former).execute(app).await.unwrap();
    let admin = system.admin().await;
    for name in schedules::NAMES {
        let url = format!("{}/admin/schedules/{name}/run", system.url);
        let answer = system.client.post(url).bearer_auth(&admin).send().await.unwrap();
        assert!(answer.status().is_success(), "{name}: {}", answer.text().await.unwrap());
    }
    for name in schedules::NAMES {
        until(name, async || done(app, name).await >= 1).await;
    }
    let pruned: i64 = sqlx::query_scalar("select count(*) from audit where jour < '2021-01-01'")
        .fetch_one(app)
        .await
        .unwrap();
    assert_eq!(pruned, 0);
}

/// Asserts that no job and no log line has an error of permissions, not even in an attempt that was retried.
async fn nobody_was_refused(app: &PgPool, output: &Path) {
    let errors: Vec<String> = sqlx::query_scalar(
        "select queue || ': ' || coalesce(error, '') || coalesce(history::text, '') from queue.everything
         where error is not null or history::text like '%permission%'",
    )
    .fetch_all(app)
    .await
    .unwrap();
    assert_eq!(errors, [""; 0]);
    let said = std::fs::read_to_string(output).unwrap();
    assert!(!said.contains("permission denied") && !said.contains("must be owner"), "{said}");
}

/// Asserts what the role of the programs cannot do.
async fn may_not(place: &Place, app: &PgPool) {
    for sql in [
        "create table a ()",
        "create temporary table a ()",
        "create schema a",
        "create table apalis.a ()",
        "create table queue.a ()",
        "create function a() returns int language sql as 'select 1'",
        "create index on users (email)",
        "create role a",
        "alter table users add column a text",
        "alter table audit disable trigger all",
        "alter function audit_sceller() security invoker",
        "create or replace function audit_inalterable() returns trigger language plpgsql as 'begin return old; end'",
        "drop table limites",
        "drop view jobs",
        "drop schema apalis cascade",
        "drop schema queue cascade",
        "truncate limites",
        "truncate audit",
        "comment on table users is 'a'",
        "update _sqlx_migrations set success = false",
        "delete from _sqlx_migrations",
        "update audit set user_id = 1",
        "delete from audit",
        "insert into audit (jour, horodatage, action, numero) values (now(), now(), 'connexion', 1)",
        "insert into audit (id) overriding system value values (1)",
        "update audit_jours set elague_le = now()",
        "delete from audit_jours",
        "update audit_garde set jours = 1",
        "set session_replication_role = replica",
    ] {
        let why = refused(app, sql).await;
        assert!(
            ["permission denied", "must be owner", "Must be superuser"]
                .iter()
                .any(|w| why.contains(w)),
            "{sql}: {why}"
        );
    }
    let set_role = refused(app, &format!("set role {}", place.migrate)).await;
    assert!(set_role.contains("permission denied"), "{set_role}");
    // Nor can it prune rows younger than the AUDIT_DAYS that `erp-api migrate` read: 400 here.
    let gone: i64 = sqlx::query_scalar("select audit_elaguer('infinity', now(), 1000)")
        .fetch_one(app)
        .await
        .unwrap();
    assert_eq!(gone, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_with_one_role_becomes_one_with_two_and_works_before_between_and_after() {
    let place = Place::new("roles_upgrade").await;
    // As an earlier RUNBOOK described: one ordinary role that owns the database.
    let single = place.single();
    let database = place.migrate.trim_end_matches("_m").to_owned();
    let owner = format!(
        "create role {single} login createrole; alter database {database} owner to {single}"
    );
    place.as_superuser(&owner).await;
    let said = place.api(&single, &["migrate"], &[]).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.out.trim(), "Le schéma est à jour.");
    let before = place.pool_of(&single).await;
    let system = System::on(place.url_of(&single), before.clone()).await;
    let worker = system.worker();
    let intervention = system.intervention().await;
    system.upload(&intervention, samples::jpeg(800, 600, 1)).await;
    system.until_ready(1).await;

    // The roles are created while the programs run, which continue to work; a second run changes nothing.
    let said = place.make_roles(None).await;
    assert!(said.out.contains(&format!("revoke {} from", place.migrate)), "{said:?}");
    assert!(said.out.contains(&single), "{said:?}");
    system.upload(&intervention, samples::jpeg(800, 600, 1)).await;
    system.until_ready(2).await;
    place.make_roles(None).await;
    place.migrate().await;
    system.upload(&intervention, samples::jpeg(800, 600, 1)).await;
    system.until_ready(3).await;
    drop((worker, system));
    before.close().await;

    // From here on with the new role; the old one owns nothing after its membership is revoked.
    place.as_superuser(&format!("revoke {} from {single}", place.migrate)).await;
    let app = place.pool_of(&place.app).await;
    let left: Vec<String> = sqlx::query_scalar(
        "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('public', 'apalis') and c.relowner <> (select oid from pg_roles where rolname = $1)
           and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')",
    )
    .bind(&place.migrate)
    .fetch_all(&app)
    .await
    .unwrap();
    assert_eq!(left, [""; 0]);
    // The programs can use the tables of a later migration at once.
    let owner = place.pool_of(&place.migrate).await;
    let later = "create table plus_tard (id bigint generated by default as identity, n integer); create table apalis.plus_tard (n serial)";
    sqlx::raw_sql(later).execute(&owner).await.unwrap();
    let use_it =
        "insert into plus_tard (n) values (1); update plus_tard set n = 2; delete from plus_tard;
                  insert into apalis.plus_tard default values";
    sqlx::raw_sql(use_it).execute(&app).await.unwrap();
    assert!(refused(&app, "drop table plus_tard").await.contains("must be owner"));
    owner.close().await;
    may_not(&place, &app).await;
    app.close().await;
    place.end().await;
}

#[tokio::test]
async fn whoever_owns_the_tables_may_make_the_roles_without_being_a_superuser() {
    let place = Place::new("roles_owner").await;
    let single = place.single();
    let database = place.migrate.trim_end_matches("_m").to_owned();
    let owner = format!(
        "create role {single} login createrole; alter database {database} owner to {single}; alter schema public owner to {single}"
    );
    place.as_superuser(&owner).await;
    let said = place.api(&single, &["migrate"], &[]).await;
    assert_eq!(said.code, 0, "{said:?}");
    place.make_roles(Some(&single)).await;
    place.make_roles(Some(&single)).await;
    place.migrate().await;
    let app = place.pool_of(&place.app).await;
    sqlx::raw_sql(
        "insert into audit (jour, horodatage, action) values (now(), now(), 'connexion')",
    )
    .execute(&app)
    .await
    .unwrap();
    may_not(&place, &app).await;
    app.close().await;
    place.end().await;
}
