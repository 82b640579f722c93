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
    let applied = sqlx::query!(
        "select version, checksum from _sqlx_migrations where success order by version"
    )
    .fetch_all(pool)
    .await?;
    let ours = MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration());
    Ok(ours
        .map(|m| (m.version, &*m.checksum))
        .eq(applied.iter().map(|m| (m.version, &*m.checksum))))
}
