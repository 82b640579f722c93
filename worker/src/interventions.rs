//! Tells of deadlines that have passed, and of what nobody takes up.
use erp_core::{
    Ctx, Result,
    interventions::{
        self,
        jobs::{Late, Unassigned},
    },
};

use crate::batches;

pub(crate) async fn late(ctx: Ctx, _job: Late) -> Result<()> {
    let now = ctx.clock.now();
    let told = batches(&ctx, move |tx, n| Box::pin(interventions::alert_late(tx, now, n))).await?;
    tracing::info!(told, "deadlines passed");
    Ok(())
}

pub(crate) async fn unassigned(ctx: Ctx, _job: Unassigned) -> Result<()> {
    let (now, sla) = (ctx.clock.now(), ctx.config.sla);
    let told =
        batches(&ctx, move |tx, n| Box::pin(interventions::alert_unassigned(tx, sla, now, n)))
            .await?;
    tracing::info!(told, "without a technicien for too long");
    Ok(())
}
