//! Opens visits when they are due, and sends reminders of the visits and deadlines of tomorrow.
use erp_core::{
    Error, Result, interventions,
    planning::{
        self,
        jobs::{Generate, Remind},
    },
};

use crate::{batches, work::Work};

/// Plannings that one query looks up.
const BATCH: i64 = 200;

/// Opens each visit in a transaction of its own: after an interruption, a visit is there with all that belongs to it, or
/// not yet. A visit that cannot be opened does not hold up the others: the attempt fails after them (at once when something
/// is unavailable, or the lease is lost).
pub(crate) async fn generate(work: Work, _job: Generate) -> Result<()> {
    let now = work.clock.now();
    let (mut after, mut opened, mut broken) = (0, 0_usize, None);
    loop {
        let due = planning::due(&work.pool, now, after, BATCH).await?;
        for &id in &due {
            after = id;
            match open(&work, id).await {
                Ok(visit) => opened += usize::from(visit.is_some()),
                Err(error) if error.is_unavailable() || matches!(error, Error::LeaseLost) => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::error!(planning = id, error = format!("{error:#}"), "no visit");
                    broken = Some(error);
                }
            }
        }
        if due.is_empty() {
            tracing::info!(opened, "visits opened");
            return broken.map_or(Ok(()), |error: Error| Err(error));
        }
    }
}

async fn open(work: &Work, id: i64) -> Result<Option<i64>> {
    let mut tx = work.begin().await?;
    let visit = planning::open_visite(&mut tx, id, work.clock.now()).await?;
    tx.commit().await?;
    Ok(visit)
}

pub(crate) async fn remind(work: Work, _job: Remind) -> Result<()> {
    let now = work.clock.now();
    let visits = batches(&work, move |tx, n| Box::pin(planning::remind(tx, now, n))).await?;
    let deadlines =
        batches(&work, move |tx, n| Box::pin(interventions::remind(tx, now, n))).await?;
    tracing::info!(visits, deadlines, "announced for tomorrow");
    Ok(())
}
