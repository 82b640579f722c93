//! How much room the tables take.
use sqlx::PgExecutor;

use crate::Result;

/// A table, its indexes included.
#[derive(Debug, Clone)]
pub struct TableSize {
    pub name: String,
    pub bytes: i64,
    /// As the last `analyze` reckoned.
    pub rows: i64,
}

/// The twenty greatest tables of the business and of the queue.
pub async fn tables(db: impl PgExecutor<'_>) -> Result<Vec<TableSize>> {
    let tables = sqlx::query_as!(
        TableSize,
        r#"
            select c.oid::regclass::text as "name!", pg_total_relation_size(c.oid) as "bytes!",
                greatest(c.reltuples, 0)::int8 as "rows!"
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind = 'r' and n.nspname in ('public', 'queue')
            order by pg_total_relation_size(c.oid) desc limit 20
        "#
    );
    Ok(tables.fetch_all(db).await?)
}

/// The version of Postgres, as it says it.
pub async fn postgres(db: impl PgExecutor<'_>) -> Result<String> {
    Ok(sqlx::query_scalar!(r#"select current_setting('server_version') as "it!""#)
        .fetch_one(db)
        .await?)
}
