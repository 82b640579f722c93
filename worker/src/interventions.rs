//! Alerts about deadlines that have passed, and about interventions that have had no technicien for too long.
use erp_core::{
    Result,
    interventions::{
        self,
        jobs::{Late, Unassigned},
    },
};

use crate::{batches, work::Work};

pub(crate) async fn late(work: Work, _job: Late) -> Result<()> {
    let now = work.clock.now();
    let told = batches(&work, move |tx, n| Box::pin(interventions::alert_late(tx, now, n))).await?;
    tracing::info!(told, "deadlines passed");
    Ok(())
}

pub(crate) async fn unassigned(work: Work, _job: Unassigned) -> Result<()> {
    let (now, sla) = (work.clock.now(), work.config.sla);
    let told =
        batches(&work, move |tx, n| Box::pin(interventions::alert_unassigned(tx, sla, now, n)))
            .await?;
    tracing::info!(told, "without a technicien for too long");
    Ok(())
}
