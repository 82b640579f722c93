//! Removes what has had its time.
use chrono::TimeDelta;
use erp_core::{
    Ctx, Result, audit, auth, documents, jobs::operate, notifications, schedules::jobs::Purge,
};
use futures_util::{StreamExt as _, TryStreamExt as _};

/// An upload that is under way has no row yet; none takes a day.
const DAY: TimeDelta = TimeDelta::days(1);

/// What was told to whom: no event is that old.
const TOLD: TimeDelta = TimeDelta::days(400);

/// Small steps, each complete in itself: interrupted, the next night goes on.
pub(crate) async fn purge(ctx: Ctx, _job: Purge) -> Result<()> {
    let now = ctx.clock.now();
    let jobs = operate::prune(&ctx.pool, now).await?;
    let told = notifications::forget(&ctx.pool, now - TOLD).await?;
    let accounts = auth::purge(&ctx.pool, now).await?;
    let kept = TimeDelta::days(ctx.config.auth.audit_days);
    let audit = audit::prune(&ctx.pool, kept, now).await?;
    let unfinished = ctx.storage.remove_abandoned(now - DAY).await?;
    let mut files = 0_usize;
    let mut keys = ctx.storage.list_older_than(now - DAY).try_chunks(500).map_err(|e| e.1);
    while let Some(keys) = keys.next().await {
        for key in documents::without_row(&ctx.pool, &keys?).await? {
            ctx.storage.delete(&key).await?;
            files += 1;
        }
    }
    tracing::info!(jobs, told, accounts, audit, unfinished, files, "purged");
    Ok(())
}
