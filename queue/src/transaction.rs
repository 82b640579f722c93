//! Transactions whose begin may be given up.
use sqlx::{PgPool, Postgres, Transaction, pool::PoolConnection};

/// Begins a transaction on a connection of `pool`. May be dropped at any time: the connection goes back outside of any
/// transaction.
///
/// `PgPool::begin` of sqlx 0.9.0 may not. Dropped between its `BEGIN` and the answer (by a time limit, an abort, a stop), it
/// gives the connection back within the transaction; whoever comes next writes there, is told that it is done, and nothing is
/// committed (sqlx's issues 4385 and 4393).
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_on(pool.acquire().await?).await
}

/// The same on this connection.
pub async fn begin_on(
    connection: PoolConnection<Postgres>,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    let begun = async move { Transaction::begin(connection, None).await };
    // Whoever gives up drops the handle. The task goes on until Postgres has answered; then it drops the transaction, and with
    // that queues its rollback.
    #[expect(clippy::disallowed_methods, reason = "lost with its process, it changes nothing")]
    let begun = tokio::spawn(begun);
    begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task::Context, time::Duration};

    use chrono::{DateTime, Utc};
    use erp_dev::TestDb;

    use super::*;

    /// When the transaction of a statement on this connection began: each has one of its own, unless one is open.
    async fn now(pool: &PgPool) -> DateTime<Utc> {
        sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(pool).await.unwrap()
    }

    #[tokio::test]
    async fn a_begin_that_is_given_up_leaves_no_transaction_behind() {
        let db = TestDb::new().await;
        let reserved = crate::Reserved::beside(&db.pool);
        let pool = reserved.pool();
        now(pool).await;
        for polls in 1..4 {
            while pool.num_idle() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            {
                let mut begun = pin!(begin(pool));
                for _ in 0..polls {
                    // The first sends `BEGIN`; its answer cannot be there yet.
                    let mut cx = Context::from_waker(std::task::Waker::noop());
                    let ready = begun.as_mut().poll(&mut cx).is_ready();
                    assert!(!(ready && polls == 1));
                    if ready {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            assert_ne!(now(pool).await, now(pool).await, "given up after {polls} polls");
        }
    }
}
