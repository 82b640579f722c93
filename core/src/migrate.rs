//! The schema: apalis's own migrations first, then ours, which stand on them.
use sqlx::{
    PgPool,
    migrate::{MigrateError, Migrator},
};

/// Our migrations, in `migrations/`.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Brings the schema up to date. Replicas that start together wait for each other (sqlx takes an advisory lock).
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    apalis_postgres::PostgresStorage::migrations().run(pool).await?;
    MIGRATOR.run(pool).await
}

/// Whether the database holds exactly the migrations that this program was built with.
pub async fn schema_is_current(pool: &PgPool) -> crate::Result<bool> {
    let applied = sqlx::query_scalar!(
        r#"select coalesce(max(version), 0) as "version!" from _sqlx_migrations where success"#
    )
    .fetch_one(pool)
    .await?;
    Ok(MIGRATOR.iter().map(|m| m.version).max() == Some(applied))
}
