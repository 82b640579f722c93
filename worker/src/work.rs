//! What a job handler works with.
use std::sync::Arc;

use apalis_hot::Process;
use erp_core::{
    Clock, Config, Ctx, Result, Tx,
    jobs::{Dependency, Lease},
    keys::{Keys, Sealing, SignedIds, SignedUrls},
    mailer::Mailer,
    storage::Storage,
};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::PgPool;

use crate::documents::decoder::Decoders;

/// What a handler works with in one attempt: the same services as a route, but its transactions hold the lease of the
/// attempt. Cheap to clone.
#[derive(Clone)]
pub struct Work {
    /// For reads only. Writes take a [`Tx`], which only [`Work::begin`] makes.
    pub(crate) pool: PgPool,
    pub(crate) clock: Clock,
    pub(crate) storage: Storage,
    pub(crate) mailer: Mailer,
    pub(crate) keys: Arc<Keys>,
    pub(crate) account_links: Arc<SignedIds>,
    pub(crate) sealing: Arc<Sealing>,
    pub(crate) signed_urls: Arc<SignedUrls>,
    pub(crate) config: Arc<Config>,
    pub(crate) decoders: Decoders,
    /// The lease of this attempt; `None` for a job that is run by hand.
    pub(crate) lease: Option<Lease>,
    ctx: Ctx,
    process: Process,
}

impl Work {
    /// The `Work` of the attempt that holds `lease`; without one, of a job that is run by hand and has no row.
    pub(crate) fn new(
        ctx: Ctx,
        lease: Option<apalis_hot::Lease>,
        process: Process,
        decoders: Decoders,
    ) -> Self {
        Self {
            decoders,
            pool: ctx.pool.clone(),
            clock: ctx.clock.clone(),
            storage: ctx.storage.clone(),
            mailer: ctx.mailer.clone(),
            keys: ctx.keys.clone(),
            account_links: ctx.account_links.clone(),
            sealing: ctx.sealing.clone(),
            signed_urls: ctx.signed_urls.clone(),
            config: ctx.config.clone(),
            ctx,
            lease: lease.map(Lease),
            process,
        }
    }

    /// Begins a transaction that holds the lease of this attempt; `LeaseLost` if the attempt has lost it.
    pub(crate) async fn begin(&self) -> Result<Tx<'static>> {
        match &self.lease {
            Some(lease) => lease.begin(&self.ctx).await,
            None => self.ctx.begin().await,
        }
    }

    /// Whether the attempt has been asked to end.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.cancel.is_cancelled())
    }

    /// Records that `done` of `all` steps are done, and what comes next, in French: people who look at the job read it.
    pub(crate) async fn progress(&self, done: usize, all: usize, next: &str) -> Result<()> {
        let Some(lease) = &self.lease else { return Ok(()) };
        #[expect(clippy::cast_precision_loss, reason = "a handful of steps")]
        let part = done as f32 / all.max(1) as f32;
        Ok(lease.progress(part, next).await?)
    }

    /// What an earlier attempt has saved with [`Work::save_checkpoint`].
    pub(crate) fn checkpoint<T: DeserializeOwned>(&self) -> Option<T> {
        self.lease.as_ref()?.checkpoint()
    }

    /// Saves something small for the next attempt; it commits together with what `tx` has written.
    pub(crate) async fn save_checkpoint<T: Serialize>(
        &self,
        tx: &mut Tx<'_>,
        state: &T,
    ) -> Result<()> {
        let Some(lease) = &self.lease else { return Ok(()) };
        Ok(lease.save_checkpoint(tx, state).await?)
    }

    /// Reports that `dependency` answers, so that jobs that wait for it go on.
    pub(crate) fn answered(&self, dependency: Dependency) {
        self.process.answered(dependency.as_str());
    }

    /// Resolves when the attempt is asked to end; never without a lease.
    pub(crate) async fn cancelled(&self) {
        match &self.lease {
            Some(lease) => lease.cancel.cancelled().await,
            None => std::future::pending().await,
        }
    }
}
