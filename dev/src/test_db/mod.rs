//! Databases for tests: a pool of them on one throw-away cluster, shared by all test processes. One test at a time owns a
//! database, which is reset to what the migrations left.

mod cluster;
mod template;

use std::{sync::LazyLock, time::Duration};

use anyhow::Context as _;
use erp_core::local::{Rules, rules};
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, PgPool, Row as _};

use crate::zoneinfo;

/// Classes of advisory locks in the maintenance database of the cluster.
const TEMPLATE_LOCK: i32 = 4711;
const SLOT_LOCK: i32 = 4712;

const CONNECTIONS: u32 = 10;

/// A database for one test, with every migration applied and only the rows that they wrote.
///
/// It goes back to the pool when dropped, or when the process dies. Background work of the test that uses connections of
/// its own must have ended by then.
#[derive(Debug)]
pub struct TestDb {
    /// Up to ten connections; closed when this is dropped.
    pub pool: PgPool,
    url: String,
    /// Its advisory lock owns the database: the server releases it when the connection ends.
    _owner: PgConnection,
}

static RULES: LazyLock<()> =
    LazyLock::new(|| use_rules("2126a", zoneinfo::RULES_2025B).expect("a tree of zoneinfo"));

/// From now on this process calculates by these rules of time zones, unless it has a later `version` already.
pub fn use_rules(version: &str, morocco: zoneinfo::Changes) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    zoneinfo::write(folder.path(), version, morocco)?;
    let rules = Rules::of_folder(folder.path())?;
    // Read now, while the tree exists; other zones are those of the program.
    for zone in ["Europe/Paris", "UTC"] {
        rules.zone(zone).context("a zone of the tree")?;
    }
    rules::raise(rules);
    Ok(())
}

impl TestDb {
    /// Does not wait for other tests: the pool grows by a database when all are in use. From the first call on, this
    /// process calculates by the rules of time zones of 2025b, whatever the machine has, with the changes of Ramadan for
    /// years to come.
    ///
    /// # Panics
    ///
    /// When no PostgreSQL is found, or the migrations fail.
    pub async fn new() -> TestDb {
        LazyLock::force(&RULES);
        match TestDb::take().await {
            Ok(db) => db,
            Err(error) => panic!("no test database: {error:#}"),
        }
    }

    /// The URL of this database, for a program that connects by itself.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    async fn take() -> anyhow::Result<TestDb> {
        let cluster = cluster::shared().await?;
        let mut owner = PgConnection::connect(&cluster.url("postgres")).await?;
        let row = owner
            .fetch_one(AssertSqlSafe(format!(
                "select slot from generate_series(0, 9999) slot
                 where pg_try_advisory_lock({SLOT_LOCK}, slot) limit 1"
            )))
            .await?;
        let slot: i32 = row.try_get(0)?;
        let template = template::name();
        let name = format!("slot_{slot}_{}", &template["template_".len()..]);
        let url = cluster.url(&name);
        if template::exists(&mut owner, &name).await? {
            let pool = connect(&url).await?;
            if reset(&pool).await? {
                return Ok(TestDb { pool, url, _owner: owner });
            }
            pool.close().await;
        }
        let remove = format!("drop database if exists {name} with (force)");
        owner.execute(AssertSqlSafe(remove)).await?;
        let create = format!("create database {name} template {template}");
        owner.execute(AssertSqlSafe(create)).await.context("cannot copy the template")?;
        let pool = connect(&url).await?;
        Ok(TestDb { pool, url, _owner: owner })
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        // From this call on, no clone of the pool gives out a connection.
        drop(self.pool.close());
    }
}

async fn connect(url: &str) -> anyhow::Result<PgPool> {
    let options = PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(20));
    Ok(options.connect(url).await?)
}

/// Empties the database of an earlier test. `false` when that test changed the schema, too: then a new copy is needed.
async fn reset(pool: &PgPool) -> anyhow::Result<bool> {
    let mut connection = pool.acquire().await?;
    let same = template::has_its_shape(&mut connection).await?;
    if same {
        connection.execute(include_str!("reset.sql")).await.context("cannot reset a database")?;
    }
    Ok(same)
}
