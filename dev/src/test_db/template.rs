//! The template that test databases are copied from. Its name carries the checksums of all
//! migrations, so changed migrations make a new one.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use anyhow::Context as _;
use apalis_postgres::PostgresStorage;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::{SLOT_LOCK, TEMPLATE_LOCK};
use crate::postgres::Postgres;

const SHAPE: &str = include_str!("shape.sql");
const REMEMBER: &str = include_str!("remember.sql");

/// The name of the template for the migrations that this program was built with.
pub(super) fn name() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        let apalis = PostgresStorage::migrations();
        let queue = apalis_hot::MIGRATIONS.iter();
        for migration in apalis.iter().chain(queue).chain(erp_core::MIGRATOR.iter()) {
            migration.checksum.hash(&mut hasher);
        }
        (SHAPE, REMEMBER).hash(&mut hasher);
        format!("template_{:016x}", hasher.finish())
    });
    &NAME
}

/// Makes the template unless it exists. When several processes ask, one of them makes it.
pub(super) async fn ensure(cluster: &Postgres) -> anyhow::Result<()> {
    let name = name();
    let mut postgres = PgConnection::connect(&cluster.url("postgres")).await?;
    if !is_ready(&mut postgres, name).await? {
        postgres
            .execute(AssertSqlSafe(format!("select pg_advisory_lock({TEMPLATE_LOCK}, 0)")))
            .await?;
        if !is_ready(&mut postgres, name).await? {
            make(&mut postgres, cluster, name).await?;
        }
    }
    postgres.close().await?;
    Ok(())
}

async fn make(postgres: &mut PgConnection, cluster: &Postgres, name: &str) -> anyhow::Result<()> {
    drop_outdated(postgres, name).await?;
    // The database of an interrupted attempt is not marked as a template.
    postgres.execute(AssertSqlSafe(format!("drop database if exists {name} with (force)"))).await?;
    postgres.execute(AssertSqlSafe(format!("create database {name}"))).await?;
    let pool = PgPoolOptions::new().max_connections(2).connect(&cluster.url(name)).await?;
    erp_core::migrate(&pool).await.context("the migrations fail")?;
    pool.execute(REMEMBER).await?;
    pool.execute(AssertSqlSafe(format!("insert into testing.shape {SHAPE}"))).await?;
    pool.close().await; // a database in use cannot be copied
    postgres.execute(AssertSqlSafe(format!("alter database {name} is_template true"))).await?;
    Ok(())
}

/// Drops databases for other migrations that are not in use: in memory, room is scarce.
async fn drop_outdated(postgres: &mut PgConnection, current: &str) -> anyhow::Result<()> {
    let suffix = &current["template_".len()..];
    let list = format!(
        "select datname::text, datistemplate from pg_database
         where datname ~ '^(template|slot_[0-9]+)_[0-9a-f]{{16}}$' and datname not like '%{suffix}'"
    );
    for row in postgres.fetch_all(AssertSqlSafe(list)).await? {
        let (name, is_template): (String, bool) = (row.try_get(0)?, row.try_get(1)?);
        if is_template {
            let unmark = format!("alter database {name} is_template false");
            postgres.execute(AssertSqlSafe(unmark)).await?;
        }
        let slot = name.strip_prefix("slot_").and_then(|n| n.split('_').next());
        let lock = format!("select pg_try_advisory_lock({SLOT_LOCK}, {})", slot.unwrap_or("-1"));
        let free: bool = postgres.fetch_one(AssertSqlSafe(lock)).await?.try_get(0)?;
        if free {
            // It may be in use nevertheless: then a later call drops it.
            let _ = postgres.execute(AssertSqlSafe(format!("drop database {name}"))).await;
        }
    }
    Ok(())
}

/// Whether a database of that name exists.
pub(super) async fn exists(postgres: &mut PgConnection, name: &str) -> anyhow::Result<bool> {
    ask(postgres, format!("select exists (select from pg_database where datname = '{name}')")).await
}

async fn is_ready(postgres: &mut PgConnection, name: &str) -> anyhow::Result<bool> {
    let query = format!(
        "select exists (select from pg_database where datname = '{name}' and datistemplate)"
    );
    ask(postgres, query).await
}

/// Whether the schema of this copy is still that of its template.
pub(super) async fn has_its_shape(database: &mut PgConnection) -> anyhow::Result<bool> {
    ask(database, format!("select ({SHAPE}) = md5 from testing.shape")).await
}

async fn ask(connection: &mut PgConnection, query: String) -> anyhow::Result<bool> {
    Ok(connection.fetch_one(AssertSqlSafe(query)).await?.try_get(0)?)
}
