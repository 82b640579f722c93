//! Transactions whose begin may be given up.
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_util::future::BoxFuture;
use sqlx::{PgPool, Postgres, Transaction, pool::PoolConnection};
use tracing::Instrument as _;

/// Begins a transaction on a connection of `pool`. May be dropped at any time: the connection goes back outside of any
/// transaction, as soon as Postgres has answered.
///
/// `PgPool::begin` of sqlx 0.9.0 may not be dropped. If a time limit, an abort or a stop drops it between its `BEGIN` and the answer,
/// the connection returns to the pool with an open transaction. What its next user writes is then reported as done, but is
/// committed only with a later transaction on that connection, or never (sqlx's issues 4385 and 4393; mended upstream in pull
/// request 4394, not released). This function goes when a release has it.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    begin_on(pool.acquire().await?).await
}

/// The same on this connection.
pub async fn begin_on(
    connection: PoolConnection<Postgres>,
) -> sqlx::Result<Transaction<'static, Postgres>> {
    // Hidden in sqlx's documentation: it is what `PgPool::begin` calls.
    Begin(Some(Transaction::begin(connection, None))).await
}

type Begun = sqlx::Result<Transaction<'static, Postgres>>;

/// A begin that goes on by itself when it is dropped: the transaction ends when it has begun, and queues its rollback.
struct Begin(Option<BoxFuture<'static, Begun>>);

impl Future for Begin {
    type Output = Begun;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Begun> {
        let Some(under_way) = &mut self.0 else { return Poll::Pending };
        let begun = ready!(under_way.as_mut().poll(cx));
        self.0 = None;
        Poll::Ready(begun)
    }
}

impl Drop for Begin {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        if let (Some(begin), Ok(runtime)) = (self.0.take(), runtime)
            && !std::thread::panicking()
        {
            // Lost with its process, it changes nothing.
            runtime.spawn(begin.in_current_span());
        }
    }
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
        let mut given_up = 0;
        for (round, polls) in (1..4).cycle().enumerate().take(60) {
            while pool.num_idle() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            {
                let mut begun = pin!(begin(pool));
                for _ in 0..polls {
                    let mut cx = Context::from_waker(std::task::Waker::noop());
                    if begun.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                    // The first poll sends `BEGIN`. Postgres may answer within it, but hardly each time.
                    given_up += usize::from(polls == 1);
                    tokio::task::yield_now().await;
                }
            }
            assert_ne!(now(pool).await, now(pool).await, "given up after {polls} polls");
            if given_up > 0 && round >= 3 {
                return;
            }
        }
        panic!("each begin was answered before it could be given up");
    }
}
