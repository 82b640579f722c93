//! A lock on a table that keeps others from writing for a while, as during a migration or an index that is built by hand.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Holds a table: writes by others wait. Dropped, it releases the table.
#[derive(Debug)]
pub struct TableLock {
    connection: PgConnection,
}

impl TableLock {
    /// Waits until no transaction writes to the table, then holds it against all other writers. Reads go on.
    pub async fn on_writes(url: &str, table: &str) -> sqlx::Result<TableLock> {
        let mut connection = PgConnection::connect(url).await?;
        let lock = format!("begin; lock table {table} in share row exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await?;
        Ok(TableLock { connection })
    }

    /// Cancels the statements of others that wait for this lock, as a statement time limit does (57014); returns how many.
    pub async fn cancel_waiting(&mut self) -> sqlx::Result<usize> {
        let cancel = "select pg_cancel_backend(pid) from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))";
        let done = sqlx::raw_sql(cancel).fetch_all(&mut self.connection).await?;
        Ok(done.len())
    }

    /// Releases the table.
    pub async fn release(self) -> sqlx::Result<()> {
        self.connection.close().await
    }
}
