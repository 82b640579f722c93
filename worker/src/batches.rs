//! Repeats a step in small transactions: none holds its locks for long, and what has committed stays when a later step
//! fails.
use erp_core::{Result, Tx};
use futures_util::future::BoxFuture;

use crate::work::Work;

/// Rows per transaction where each row notifies people.
const BATCH: usize = 50;

/// [`batches_of`] 50 rows.
pub(crate) async fn batches(
    work: &Work,
    step: impl for<'t> Fn(&'t mut Tx<'static>, i64) -> BoxFuture<'t, Result<usize>> + Send + Sync,
) -> Result<usize> {
    batches_of(work, BATCH, step).await
}

/// Repeats `step`, each time in a transaction of its own, until it handles fewer rows than `limit`; returns the total.
/// `step` gets `limit` and returns how many rows it handled; it must not find those rows again.
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
