//! The right of one attempt to write.
use std::ops::Deref;

use crate::{Ctx, Result, Tx};

/// One attempt of one job, as its handler sees it: [`apalis_hot::Lease`], with transactions of the type [`Tx`].
#[derive(Debug, Clone)]
pub struct Lease(pub apalis_hot::Lease);

impl Lease {
    /// Begins a transaction that holds the lease: until it ends, no other attempt can take the job over.
    ///
    /// `LeaseLost`: this attempt does not hold the job any more; nothing was changed.
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
