//! The demo data that `cargo dev` writes to an empty database, once.
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use erp_core::{
    Clock, Config, Ctx,
    config::Env,
    documents,
    interventions::StatutIntervention,
    page::Page,
    users::{self, Password},
};
use erp_dev::{TestDb, demo};
use sqlx::{FromRow, Row as _};
use tempfile::TempDir;

/// A line of historique: the intervention's id and current status; the line's status and user; the intervention's creation; the
/// line's time.
type Line = (i64, String, String, Option<i64>, DateTime<Utc>, DateTime<Utc>);

struct Loaded {
    db: TestDb,
    ctx: Ctx,
    accounts: demo::Accounts,
    _files: TempDir,
}

fn now() -> DateTime<Utc> {
    "2026-11-23T09:41:00Z".parse().unwrap()
}

async fn load(demo: bool) -> Loaded {
    let (db, files) = (TestDb::new().await, tempfile::tempdir().unwrap());
    let url = db.url();
    let config = Config::read(Env::from_pairs(&[
        ("DATABASE_URL", url.as_str()),
        ("ENVIRONMENT", "dev"),
        ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
        ("UPLOAD_DIRECTORY", files.path().to_str().unwrap()),
    ]));
    let mut ctx = Ctx::with_pool(config.unwrap(), db.pool.clone()).unwrap();
    ctx.clock = Clock::stopped_at(now());
    let accounts = demo::load(&ctx, demo).await.unwrap();
    Loaded { db, ctx, accounts, _files: files }
}

impl Loaded {
    async fn count(&self, what: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(format!("select count(*) from {what}"));
        sqlx::raw_sql(query).fetch_one(&self.db.pool).await.unwrap().get(0)
    }

    async fn rows<T: for<'r> FromRow<'r, sqlx::postgres::PgRow>>(&self, query: &str) -> Vec<T> {
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(query.to_owned()));
        let rows = rows.fetch_all(&self.db.pool).await.unwrap();
        rows.iter().map(|row| T::from_row(row).unwrap()).collect()
    }
}

#[tokio::test]
async fn without_demo_there_is_the_administrator_and_nothing_else() {
    let loaded = load(false).await;
    assert_eq!(loaded.count("users").await, 1);
    assert_eq!(loaded.accounts.others, []);
    assert_eq!(loaded.accounts.admin.email, "admin@mif-maroc.example");
    for empty in ["clients", "equipements", "interventions", "documents", "queue.jobs"] {
        assert_eq!(loaded.count(empty).await, 0, "{empty}");
    }
    let again = demo::load(&loaded.ctx, true).await.unwrap();
    assert_eq!((again, loaded.count("users").await), (loaded.accounts.clone(), 1));
}

// The checks only read, so that they share one load.
#[tokio::test]
async fn with_demo_a_company_has_worked_for_six_months() {
    let loaded = load(true).await;
    a_whole_company_is_loaded_and_its_people_can_log_in(&loaded).await;
    every_intervention_has_come_where_it_is_by_legal_steps(&loaded).await;
    no_mail_is_left_to_send_and_every_document_is_left_to_process(&loaded).await;
}

async fn a_whole_company_is_loaded_and_its_people_can_log_in(loaded: &Loaded) {
    for (what, number) in [
        ("users", 15),
        ("users where role = 'responsable'", 2),
        ("clients where ice is not null", 4),
        ("users where client_id is not null", 4),
        ("competences", 12),
        ("techniciens", 8),
        ("equipements", 25),
        ("plannings", 25),
        ("interventions", 120),
        ("documents where status = 'pending'", 12),
    ] {
        assert_eq!(loaded.count(what).await, number, "{what}");
    }
    let roles: Vec<&str> = loaded.accounts.others.iter().map(|a| a.role.as_str()).collect();
    assert_eq!(roles, ["responsable", "technicien", "client"]);
    for account in std::iter::once(&loaded.accounts.admin).chain(&loaded.accounts.others) {
        for login in [&account.username, &account.email] {
            let found = users::find_by_login(&loaded.db.pool, login).await.unwrap().unwrap();
            assert_eq!(found.role.as_str(), account.role);
            let given = Password::given(account.password.clone());
            let verified = users::verify_password(given, Some(found.password_hash), Vec::new());
            assert!(matches!(verified.await.unwrap(), users::Verified::Right { renewed: None }));
        }
    }
}

async fn every_intervention_has_come_where_it_is_by_legal_steps(loaded: &Loaded) {
    let lines: Vec<Line> = loaded
        .rows(
            "select i.id, i.statut, h.statut, h.user_id, i.date_creation, h.horodatage
             from interventions i join historique h on h.intervention_id = i.id order by i.id, h.id",
        )
        .await;
    let mut paths: BTreeMap<i64, Vec<&Line>> = BTreeMap::new();
    for line in &lines {
        paths.entry(line.0).or_default().push(line);
    }
    assert_eq!(paths.len(), 120);
    let statut = |text: &str| StatutIntervention::from_text(text).unwrap();
    let mut reached = HashSet::new();
    for (id, path) in &paths {
        assert!(matches!(path[0].2.as_str(), "ouverte" | "affectee"), "{id}");
        assert_eq!(path[0].4, path[0].5, "{id}");
        for step in path.windows(2) {
            let (from, to) = (statut(&step[0].2), statut(&step[1].2));
            // A line with the same status records an edit or an assignment.
            assert!(from == to || from.may_become(to).is_ok(), "{id}: {from} {to}");
            assert!(step[0].5 < step[1].5 && step[1].5 < now() && step[1].3.is_some(), "{id}");
        }
        let last = path.last().unwrap();
        assert_eq!(last.1, last.2, "{id}");
        reached.insert(last.1.as_str());
    }
    assert_eq!(reached.len(), StatutIntervention::TEXTS.len());
    for wrong in [
        "(statut in ('cloturee', 'archivee')) <> (date_cloture is not null)",
        "statut in ('cloturee', 'archivee') and (rapport_intervention is null or duree_reelle < 15 or cout_main_oeuvre = 0)",
        "statut in ('en_cours', 'en_attente') and (date_debut_travaux is null or technicien_id is null)",
        "(statut = 'affectee' and technicien_id is null) or (statut = 'ouverte' and technicien_id is not null)",
        "date_debut_travaux + make_interval(mins => duree_reelle) > date_cloture",
        "(planning_id is null) <> (type <> 'preventive') or (planning_id is null) <> (createur_id is not null)",
    ] {
        assert_eq!(loaded.count(&format!("interventions where {wrong}")).await, 0, "{wrong}");
    }
}

async fn no_mail_is_left_to_send_and_every_document_is_left_to_process(loaded: &Loaded) {
    let jobs: Vec<(String, i64)> =
        loaded.rows("select queue, count(*) from queue.jobs group by 1").await;
    assert_eq!(jobs, [("documents.process".to_owned(), 12)]);
    assert_eq!(
        loaded.count("notifications where statut <> 'envoyee' or date_envoi is null").await,
        0
    );
    assert_eq!(loaded.count("(select distinct type from notifications) as types").await, 6);
    for some in ["read", "not read", "canal = 'log'", "canal = 'email'"] {
        assert!(loaded.count(&format!("notifications where {some}")).await > 0, "{some}");
    }
    let page = Page::newest(50);
    for document in documents::list(&loaded.db.pool, &page).await.unwrap().rows {
        let stored = loaded.ctx.storage.get(&document.key(), 10 << 20).await.unwrap();
        assert_eq!(i64::try_from(stored.len()).unwrap(), document.size_bytes);
    }
}

#[tokio::test]
async fn a_second_load_changes_nothing_and_two_at_once_are_one() {
    let loaded = load(false).await;
    sqlx::raw_sql("delete from users").execute(&loaded.db.pool).await.unwrap();
    let (one, two) = tokio::join!(demo::load(&loaded.ctx, true), demo::load(&loaded.ctx, true));
    let accounts = one.unwrap();
    assert_eq!(accounts, two.unwrap());
    let tables = ["users", "interventions", "historique", "notifications", "queue.jobs"];
    let mut before = Vec::new();
    for table in tables {
        before.push(loaded.count(table).await);
    }
    assert_eq!(demo::load(&loaded.ctx, true).await.unwrap(), accounts);
    assert_eq!(demo::load(&loaded.ctx, false).await.unwrap(), accounts);
    for (table, before) in tables.iter().zip(before) {
        assert_eq!(loaded.count(table).await, before, "{table}");
    }
}

#[tokio::test]
async fn the_same_day_gives_the_same_data() {
    let mut dumps = Vec::new();
    for _ in 0..2 {
        let loaded = load(true).await;
        let rows: Vec<(String,)> = loaded
            .rows(
                "select concat(i) from interventions i union all select concat(h) from historique h
                 union all select concat(e) from equipements e union all select concat(d) from documents d
                 union all select concat(n) from notifications n union all select concat(p) from plannings p",
            )
            .await;
        dumps.push(rows.into_iter().map(|row| row.0).collect::<Vec<_>>());
        let ids: i64 = loaded.rows::<(i64,)>("select min(id) from interventions").await[0].0;
        assert_eq!(ids, 1);
    }
    for dump in &mut dumps {
        dump.sort();
    }
    assert!(dumps[0] == dumps[1], "{:?}", dumps[0].iter().find(|row| !dumps[1].contains(row)));
}
