//! Opens visits when they are due, and announces those of tomorrow.
use erp_core::{
    Ctx, Error, Result, interventions,
    planning::{
        self,
        jobs::{Generate, Remind},
    },
};

use crate::batches;

/// Plannings that are looked up at once.
const BATCH: i64 = 200;

/// One transaction a visit: whatever interrupts it, each visit is there with all that belongs to it, or not yet. One that
/// cannot be opened does not hold up the others.
pub(crate) async fn generate(ctx: Ctx, _job: Generate) -> Result<()> {
    let now = ctx.clock.now();
    let (mut after, mut opened, mut broken) = (0, 0_usize, None);
    loop {
        let due = planning::due(&ctx.pool, now, after, BATCH).await?;
        for &id in &due {
            after = id;
            match open(&ctx, id).await {
                Ok(visit) => opened += usize::from(visit.is_some()),
                Err(error) if error.is_unavailable() => return Err(error),
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

async fn open(ctx: &Ctx, id: i64) -> Result<Option<i64>> {
    let mut tx = ctx.begin().await?;
    let visit = planning::open_visite(&mut tx, id, ctx.clock.now()).await?;
    tx.commit().await?;
    Ok(visit)
}

pub(crate) async fn remind(ctx: Ctx, _job: Remind) -> Result<()> {
    let now = ctx.clock.now();
    let visits = batches(&ctx, move |tx, n| Box::pin(planning::remind(tx, now, n))).await?;
    let deadlines = batches(&ctx, move |tx, n| Box::pin(interventions::remind(tx, now, n))).await?;
    tracing::info!(visits, deadlines, "announced for tomorrow");
    Ok(())
}
