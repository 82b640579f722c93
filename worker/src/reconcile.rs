//! The nightly comparison of rows and jobs.
use erp_core::{
    Result,
    reconcile::{self, Kind, jobs::Reconcile},
};

use crate::work::Work;

/// Rows that are looked at and mended at once.
const BATCH: i64 = 200;

/// Each batch is mended and recorded in a transaction of its own: another attempt goes on where this one ended. A kind that
/// cannot be looked at does not hold up the others.
pub(crate) async fn reconcile(work: Work, _job: Reconcile) -> Result<()> {
    let mut broken = None;
    for kind in Kind::ALL {
        match look_at(&work, kind).await {
            Ok(0) => {}
            Ok(found) => {
                tracing::warn!(finding = kind.as_str(), found, "rows and jobs do not agree");
            }
            Err(error) => {
                let finding = kind.as_str();
                tracing::error!(finding, error = format!("{error:#}"), "not looked at");
                broken = Some(error);
            }
        }
    }
    broken.map_or(Ok(()), Err)
}

/// How much was found.
async fn look_at(work: &Work, kind: Kind) -> Result<usize> {
    let now = work.clock.now();
    let run = work.lease.as_ref().map_or("", |lease| &lease.job_id);
    let (mut after, mut found) = (0, 0);
    loop {
        let ids = reconcile::find(&work.pool, kind, after, BATCH, now).await?;
        let mut tx = work.begin().await?;
        let mended = reconcile::mend(&mut tx, kind, &ids, now).await?;
        reconcile::record(&mut tx, kind, run, ids.len(), mended, now).await?;
        tx.commit().await?;
        let Some(&last) = ids.last() else { return Ok(found) };
        (after, found) = (last, found + ids.len());
    }
}
