//! The nightly comparison of rows and jobs.
use erp_core::{
    Result,
    reconcile::{self, Kind, jobs::Reconcile},
};

use crate::work::Work;

/// Rows that are looked at and mended at once.
const BATCH: i64 = 200;

/// Each batch is a transaction of its own: interrupted, the next night goes on.
pub(crate) async fn reconcile(work: Work, _job: Reconcile) -> Result<()> {
    let now = work.clock.now();
    for kind in Kind::ALL {
        let (mut after, mut found, mut mended) = (0, 0, 0);
        loop {
            let ids = reconcile::find(&work.pool, kind, after, BATCH, now).await?;
            let Some(&last) = ids.last() else { break };
            let mut tx = work.begin().await?;
            mended += reconcile::mend(&mut tx, kind, &ids, now).await?;
            tx.commit().await?;
            (after, found) = (last, found + ids.len());
        }
        let mut tx = work.begin().await?;
        reconcile::record(&mut tx, kind, found, mended, now).await?;
        tx.commit().await?;
        if found > 0 {
            tracing::warn!(finding = kind.as_str(), found, mended, "rows and jobs do not agree");
        }
    }
    Ok(())
}
