//! Much work in small transactions: none holds its locks for long, and what is done stays done when the rest fails.
use erp_core::{Result, Tx};
use futures_util::future::BoxFuture;

use crate::work::Work;

/// Rows that one transaction takes when each of them tells people something.
const BATCH: usize = 50;

/// [`batches_of`] fifty.
pub(crate) async fn batches(
    work: &Work,
    step: impl for<'t> Fn(&'t mut Tx<'static>, i64) -> BoxFuture<'t, Result<usize>> + Send + Sync,
) -> Result<usize> {
    batches_of(work, BATCH, step).await
}

/// Repeats `step`, each time in a transaction of its own, until it finds nothing left to do; how much it did in all.
/// `step` gets `limit` and gives how many rows it did; what it did it must not find again.
pub(crate) async fn batches_of(
    work: &Work,
    limit: usize,
    step: impl for<'t> Fn(&'t mut Tx<'static>, i64) -> BoxFuture<'t, Result<usize>> + Send + Sync,
) -> Result<usize> {
    let mut all = 0;
    loop {
        let mut tx = work.begin().await?;
        let done = step(&mut tx, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
        tx.commit().await?;
        all += done;
        if done < limit {
            return Ok(all);
        }
    }
}
