//! A table that nobody can write for a while, as during a migration or an index that somebody builds by hand.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Holds a table; what others want to write waits. Dropped, it lets go.
#[derive(Debug)]
pub struct TableLock {
    connection: PgConnection,
}

impl TableLock {
    /// Waits for the table to be free of writers, then holds it against all others. Reading goes on.
    pub async fn on_writes(url: &str, table: &str) -> sqlx::Result<TableLock> {
        let mut connection = PgConnection::connect(url).await?;
        let lock = format!("begin; lock table {table} in share row exclusive mode");
        sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await?;
        Ok(TableLock { connection })
    }

    /// The statements of others that wait for this lock are cancelled, as a statement time limit does it (57014); how many.
    pub async fn cancel_waiting(&mut self) -> sqlx::Result<usize> {
        let cancel = "select pg_cancel_backend(pid) from pg_stat_activity where pg_backend_pid() = any(pg_blocking_pids(pid))";
        let done = sqlx::raw_sql(cancel).fetch_all(&mut self.connection).await?;
        Ok(done.len())
    }

    /// Lets go.
    pub async fn release(self) -> sqlx::Result<()> {
        self.connection.close().await
    }
}
