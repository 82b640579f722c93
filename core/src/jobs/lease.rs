//! The right of one attempt to write.
use std::ops::Deref;

use crate::{Ctx, Result, Tx};

/// One attempt of one job, as its handler sees it: [`apalis_hot::Lease`], whose transactions are ours.
#[derive(Debug, Clone)]
pub struct Lease(pub apalis_hot::Lease);

impl Lease {
    /// Begins a transaction that commits only what this attempt may still write: nobody takes the job over before its end.
    ///
    /// `LeaseLost`: the job is not this attempt's any more; nothing was changed.
    pub async fn begin(&self, ctx: &Ctx) -> Result<Tx<'static>> {
        let mut tx = ctx.begin().await?;
        self.0.hold(&mut tx).await?;
        Ok(tx)
    }
}

impl Deref for Lease {
    type Target = apalis_hot::Lease;

    fn deref(&self) -> &apalis_hot::Lease {
        &self.0
    }
}
