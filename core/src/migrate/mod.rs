//! The schema: the migrations of apalis and of the queue first, then ours, which build on them.
mod rights;

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, PgConnection, PgPool,
    migrate::{MigrateError, Migration, Migrator},
};

pub use rights::{Granted, grant};

/// Our migrations, in `migrations/`. Those that a newer version has applied to the database are ignored, so that the
/// previous version of the program may start beside it, or replace it again.
pub static MIGRATOR: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("../migrations") };

/// The advisory lock that a migrating process holds; sqlx has another one of its own.
const TURN: i64 = 0x6d69_6772_6572;

/// Attempts to get the locks of a migration on a running system, a second apart.
const ATTEMPTS: usize = 60;

/// Brings the schema up to date. Replicas that start together wait for each other.
///
/// On a running system a statement that waits for a table lock makes all others wait behind it, and one that takes several
/// locks may deadlock with a request that takes them in another order. So a statement waits for three seconds, then fails,
/// which lets the others through, and is retried; a migration is one transaction, and a failed one has changed nothing. The
/// exception are migrations that say `no-transaction`: they build an index while others write, and block nobody while they wait.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    for _ in 1..ATTEMPTS {
        match migrate_once(pool).await {
            Err(error) if lost_a_lock(&error) => tokio::time::sleep(Duration::from_secs(1)).await,
            done => return done,
        }
    }
    migrate_once(pool).await
}

async fn migrate_once(pool: &PgPool) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?;
    // Not reused, also if this is dropped: it has other settings, and after a failure it holds advisory locks.
    connection.close_on_drop();
    let done = migrate_over(&mut connection).await;
    connection.close().await?;
    done
}

async fn migrate_over(connection: &mut PgConnection) -> Result<(), MigrateError> {
    // Polled: a statement that waits for the lock holds a snapshot, and an index that is built concurrently waits for the end
    // of every snapshot.
    while !sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "got!""#, TURN)
        .fetch_one(&mut *connection)
        .await?
    {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    apalis_postgres::PostgresStorage::migrations().run(&mut *connection).await?;
    apalis_hot::MIGRATIONS.run(&mut *connection).await?;
    let mut up: Vec<_> = ours().collect();
    up.sort_unstable_by_key(|migration| migration.version);
    let applied = applied(connection).await?;
    for migration in up.iter().filter(|m| m.no_tx && !applied.contains(&m.version)) {
        run_to(connection, migration.version - 1, "3s").await?;
        drop_invalid_indexes(connection).await?;
        run_to(connection, migration.version, "0").await?;
    }
    run_to(connection, i64::MAX, "3s").await
}

/// Applies the missing migrations up to `version`; `lock_timeout` limits how long a statement waits for a lock ("0": no limit).
async fn run_to(
    connection: &mut PgConnection,
    version: i64,
    lock_timeout: &str,
) -> Result<(), MigrateError> {
    sqlx::query_scalar!("select set_config('lock_timeout', $1, false)", lock_timeout)
        .fetch_one(&mut *connection)
        .await?;
    MIGRATOR.run_to(version, &mut *connection).await
}

/// Drops invalid indexes: a concurrent build that did not end (its process was killed, for instance) leaves one, which is
/// unusable and occupies the name.
async fn drop_invalid_indexes(connection: &mut PgConnection) -> Result<(), MigrateError> {
    let statements = sqlx::query_scalar!(
        r#"
            select format('drop index concurrently %I.%I', n.nspname, c.relname) as "statement!"
            from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
            where not i.indisvalid and n.nspname in ('public', 'apalis', 'queue')
        "#
    )
    .fetch_all(&mut *connection)
    .await?;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The versions of our migrations that are applied; empty in a database that was never migrated.
async fn applied(connection: &mut PgConnection) -> Result<Vec<i64>, MigrateError> {
    let applied = sqlx::query_scalar!("select version from _sqlx_migrations where success");
    match applied.fetch_all(connection).await {
        Err(error) if is_unknown_table(&error) => Ok(Vec::new()),
        other => Ok(other?),
    }
}

/// Whether a table does not exist, as in a database that was never migrated.
fn is_unknown_table(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.as_deref() == Some("42P01")
}

/// Whether an attempt failed because of a lock: it did not get the lock in time, or was the victim of a deadlock.
fn lost_a_lock(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else {
        return false;
    };
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some("55P03" | "40P01"))
}

/// The migrations of the database, compared with those of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Exactly the migrations of this program.
    Current,
    /// All of them, and some of a newer version. Migrations expand before they contract, so this program still works.
    Newer,
    /// One is missing, half done, or differs from the one that this program has under its number.
    Behind,
}

impl Schema {
    /// Whether this program can work with it.
    #[must_use]
    pub fn is_enough(self) -> bool {
        self != Self::Behind
    }
}

/// The state of one migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    Applied,
    Pending,
    /// Applied, but its text differs from that of the migration that this program has under its number.
    Changed,
    /// Begun and not ended.
    Dirty,
    /// Of a newer version: this program does not have it.
    Unknown,
}

/// A migration that this program has, or the database, or both.
#[derive(Debug, Clone)]
pub struct MigrationStatus {
    pub version: i64,
    pub description: String,
    pub state: MigrationState,
}

/// Whether this program can work with the database. Reads only.
pub async fn schema(pool: &PgPool) -> crate::Result<Schema> {
    let known = |m: &MigrationStatus| m.state != MigrationState::Unknown;
    let all = migrations(pool).await?;
    Ok(if all.iter().any(|m| known(m) && m.state != MigrationState::Applied) {
        Schema::Behind
    } else if all.iter().all(known) {
        Schema::Current
    } else {
        Schema::Newer
    })
}

/// Every migration of this program or of the database, by version. Reads only.
pub async fn migrations(pool: &PgPool) -> crate::Result<Vec<MigrationStatus>> {
    let applied = sqlx::query!(
        "select version, description, checksum, success from _sqlx_migrations order by version"
    )
    .fetch_all(pool)
    .await;
    let applied = match applied {
        Err(error) if is_unknown_table(&error) => Vec::new(),
        other => other?,
    };
    let mut all: Vec<_> = ours()
        .map(|m| {
            let state = match applied.iter().find(|row| row.version == m.version) {
                None => MigrationState::Pending,
                Some(row) if !row.success => MigrationState::Dirty,
                Some(row) if row.checksum != *m.checksum => MigrationState::Changed,
                Some(_) => MigrationState::Applied,
            };
            MigrationStatus { version: m.version, description: m.description.to_string(), state }
        })
        .collect();
    for row in applied.into_iter().filter(|row| !ours().any(|m| m.version == row.version)) {
        let state = MigrationState::Unknown;
        all.push(MigrationStatus { version: row.version, description: row.description, state });
    }
    all.sort_by_key(|m| m.version);
    Ok(all)
}

fn ours() -> impl Iterator<Item = &'static Migration> {
    MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration())
}

/// The last version that is still applied when the last `steps` have been undone; 0: none. Reads only.
pub async fn before(pool: &PgPool, steps: u32) -> crate::Result<i64> {
    let all = migrations(pool).await?;
    let mut applied = all.iter().rev().filter(|m| m.state != MigrationState::Pending);
    Ok(applied.nth(steps as usize).map_or(0, |m| m.version))
}

/// One migration that [`undo`] would undo, and what that removes.
#[derive(Debug, Clone)]
pub struct Undoing {
    pub version: i64,
    pub description: String,
    /// Its statements that remove tables, columns or rows.
    pub removes: Vec<String>,
}

/// The migrations that [`undo`] to `version` would undo, in its order. Reads only.
pub async fn undoing(pool: &PgPool, version: i64) -> crate::Result<Vec<Undoing>> {
    let applied = migrations(pool).await?;
    let applied = |m: &&Migration| {
        applied.iter().any(|a| a.version == m.version && a.state != MigrationState::Pending)
    };
    let mut downs: Vec<_> = MIGRATOR
        .iter()
        .filter(|m| m.migration_type.is_down_migration() && m.version > version)
        .filter(applied)
        .map(|m| Undoing {
            version: m.version,
            description: m.description.to_string(),
            removes: removes(m.sql.as_str()),
        })
        .collect();
    downs.reverse();
    Ok(downs)
}

fn removes(sql: &str) -> Vec<String> {
    let lines = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    let text = lines.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    let statements = text.split(';').map(str::trim);
    statements.filter(|statement| takes_away(statement)).map(str::to_owned).collect()
}

fn takes_away(statement: &str) -> bool {
    let statement = statement.to_ascii_lowercase();
    ["drop table", "drop schema", "delete from", "truncate"]
        .iter()
        .any(|w| statement.starts_with(w))
        || statement.starts_with("alter table") && statement.contains("drop column")
}

/// Undoes the migrations after `version`, which is one of ours or 0 for all. Their tables and data are lost. Fails if the
/// database has a migration that this program does not know.
pub async fn undo(pool: &PgPool, version: i64) -> anyhow::Result<()> {
    let unknown: Vec<_> = migrations(pool)
        .await?
        .into_iter()
        .filter(|m| m.state == MigrationState::Unknown)
        .collect();
    if let Some(newer) = unknown.first() {
        anyhow::bail!(
            "la base a la migration {} ({}), que cette version du programme ne connaît pas et ne sait pas défaire : \
             lancez la commande avec la version qui l'a apportée",
            newer.version,
            newer.description,
        );
    }
    if version != 0 && !ours().any(|m| m.version == version) {
        anyhow::bail!("{version} n'est pas une migration : « erp-api migrate status » les montre");
    }
    MIGRATOR.undo(pool, version).await?;
    Ok(())
}
