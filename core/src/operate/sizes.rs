//! How much room the tables and the files take.
use sqlx::{PgExecutor, PgPool};

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

/// More documents than these are estimated from a sample.
const MANY: i64 = 100_000;

/// The files of documents, as the database knows them: not what else storage may hold, nor the bytes of previews, which no row has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSizes {
    pub documents: i64,
    /// Of the originals.
    pub bytes: i64,
    /// Documents that have a preview and a thumbnail.
    pub with_previews: i64,
    /// Reckoned from a sample of a hundredth of the pages, and not counted.
    pub is_estimate: bool,
}

/// The files of documents: counted up to a hundred thousand, estimated beyond. No more rows are read, whether or not the table was
/// ever analysed.
pub async fn files(pool: &PgPool) -> Result<FileSizes> {
    let counted = sqlx::query_as!(
        FileSizes,
        r#"
            select count(*) as "documents!", coalesce(sum(size_bytes), 0)::int8 as "bytes!",
                count(*) filter (where has_previews) as "with_previews!", false as "is_estimate!"
            from (select size_bytes, has_previews from documents limit $1) as those
        "#,
        MANY + 1,
    );
    let counted = counted.fetch_one(pool).await?;
    if counted.documents > MANY { sampled(pool).await } else { Ok(counted) }
}

/// The same, from a sample.
async fn sampled(pool: &PgPool) -> Result<FileSizes> {
    let sample = sqlx::query_as!(
        FileSizes,
        r#"
            select count(*) * 100 as "documents!", (coalesce(sum(size_bytes), 0) * 100)::int8 as "bytes!",
                count(*) filter (where has_previews) * 100 as "with_previews!", true as "is_estimate!"
            from documents tablesample system (1)
        "#
    );
    Ok(sample.fetch_one(pool).await?)
}

/// The version of Postgres, as it says it.
pub async fn postgres(db: impl PgExecutor<'_>) -> Result<String> {
    Ok(sqlx::query_scalar!(r#"select current_setting('server_version') as "it!""#)
        .fetch_one(db)
        .await?)
}
