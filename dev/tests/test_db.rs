//! Test databases are isolated from each other, and have the schema of the migrations.
#![expect(clippy::unwrap_used, reason = "a test that fails here is meant to fail")]

use erp_dev::TestDb;
use sqlx::{AssertSqlSafe, Executor as _, Row as _};

async fn number(db: &TestDb, query: &'static str) -> i64 {
    db.pool.fetch_one(query).await.unwrap().get(0)
}

const ADD: &str =
    "insert into clients (nom_entreprise, date_creation) values ('Atlas', now()) returning id";

#[tokio::test]
async fn two_databases_are_apart_and_a_reset_one_counts_from_the_start() {
    for _ in 0..3 {
        let (one, two) = tokio::join!(TestDb::new(), TestDb::new());
        assert_ne!(one.url(), two.url());
        let first = number(&one, ADD).await;
        assert_eq!(number(&one, ADD).await, first + 1);
        assert_eq!(number(&one, "select count(*) from clients").await, 2);
        assert_eq!(number(&two, "select count(*) from clients").await, 0);
        assert_eq!(number(&two, ADD).await, first);
    }
}

#[tokio::test]
async fn rows_of_the_migrations_are_there_again() {
    for _ in 0..3 {
        let db = TestDb::new().await;
        let migrations = number(&db, "select count(*) from _sqlx_migrations").await;
        assert_eq!(
            migrations,
            i64::try_from(
                erp_core::MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration()).count()
            )
            .unwrap()
        );
        let seeded = "select table_name, copy_name, columns from testing.seeded";
        for row in db.pool.fetch_all(seeded).await.unwrap() {
            let (table, copy, columns): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            let differ = format!(
                "select abs((select count(*) from {table}) - (select count(*) from {copy})) + count(*) from
                 (select {columns} from {table} except all select {columns} from {copy}) rows"
            );
            let differ: i64 = db.pool.fetch_one(AssertSqlSafe(differ)).await.unwrap().get(0);
            assert_eq!(differ, 0, "{table}");
            let truncate = format!("truncate {table} cascade");
            db.pool.execute(AssertSqlSafe(truncate)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_changed_schema_is_replaced() {
    for _ in 0..3 {
        let db = TestDb::new().await;
        db.pool
            .execute("create table leftover (); alter table clients drop column ice")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_dropped_database_gives_out_no_connection() {
    let db = TestDb::new().await;
    let pool = db.pool.clone();
    drop(db);
    assert!(pool.acquire().await.is_err());
}

#[tokio::test]
async fn fifty_in_a_row_are_quick() {
    let begun = std::time::Instant::now();
    for _ in 0..50 {
        let db = TestDb::new().await;
        number(&db, ADD).await;
    }
    println!("50 databases: {:?}", begun.elapsed());
    assert!(begun.elapsed().as_secs() < 30);
}
