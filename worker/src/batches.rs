//! Much work in small transactions: none holds its locks for long, and what is done stays done when the rest fails.
use erp_core::{Ctx, Result, Tx};
use futures_util::future::BoxFuture;

/// Rows that one transaction takes.
const BATCH: i64 = 50;

/// Repeats `step`, each time in a transaction of its own, until it finds nothing left to do; how much it did in all.
/// `step` gets a limit and gives how many rows it did; what it did it must not find again.
pub(crate) async fn batches(
    ctx: &Ctx,
    step: impl for<'t> Fn(&'t mut Tx<'static>, i64) -> BoxFuture<'t, Result<usize>> + Send + Sync,
) -> Result<usize> {
    let mut all = 0;
    loop {
        let mut tx = ctx.begin().await?;
        let done = step(&mut tx, BATCH).await?;
        tx.commit().await?;
        all += done;
        if i64::try_from(done).unwrap_or(i64::MAX) < BATCH {
            return Ok(all);
        }
    }
}
