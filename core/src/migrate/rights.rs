//! The rights that the owner of the schema grants to the programs, when they have a role of their own.
use sqlx::PgPool;

use crate::{Config, Result, database};

/// The advisory lock that a process holds while it grants rights.
const TURN: i64 = 0x6472_6f69_7473;
const GRANT: &str = include_str!("grant.sql");

/// The outcome of granting rights to `DATABASE_APP_ROLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granted {
    /// There is one role for everything: nothing to grant.
    OneRole,
    /// This role has the rights that it needs.
    To(String),
    /// There is no such role.
    Unknown(String),
}

/// Grants `DATABASE_APP_ROLE` the rights that the programs need, and stores the fewest days for which the audit is kept.
/// For the owner of the schema, which must be up to date.
pub async fn grant(pool: &PgPool, config: &Config) -> Result<Granted> {
    let mut tx = database::begin(pool).await?;
    // Two processes that grant the same rights at once would conflict in the catalogue.
    sqlx::query!("select pg_advisory_xact_lock($1) as turn", TURN).fetch_one(&mut *tx).await?;
    // By default every role may call a new function, and a restored function is a new one.
    sqlx::query!("revoke all on function audit_elaguer(date, timestamptz, bigint) from public")
        .execute(&mut *tx)
        .await?;
    sqlx::query!("revoke all on function queue.keep_days(integer) from public")
        .execute(&mut *tx)
        .await?;
    let days = i32::try_from(config.auth.audit_days).unwrap_or(i32::MAX);
    sqlx::query!("update audit_garde set jours = $1 where jours <> $1", days)
        .execute(&mut *tx)
        .await?;
    let granted = match &config.database.app_role {
        None => Granted::OneRole,
        Some(role) => {
            let found = sqlx::query_scalar!(
                r#"select rolname = current_user as "is_self!" from pg_roles where rolname = $1"#,
                role,
            );
            match found.fetch_optional(&mut *tx).await? {
                None => Granted::Unknown(role.clone()),
                Some(true) => Granted::OneRole,
                Some(false) => {
                    sqlx::query_scalar!("select set_config('erp.app', $1, true)", role)
                        .fetch_one(&mut *tx)
                        .await?;
                    sqlx::raw_sql(GRANT).execute(&mut *tx).await?;
                    Granted::To(role.clone())
                }
            }
        }
    };
    tx.commit().await?;
    Ok(granted)
}
