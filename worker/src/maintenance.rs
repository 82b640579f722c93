//! The purge: removes rows and files that are kept no longer.
use chrono::TimeDelta;
use erp_core::{
    Result, accounts, audit, auth, dashboard, documents, idempotence, notifications, operate,
    personal_data, rapports, schedules::jobs::Purge,
};
use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::{batches::batches_of, work::Work};

/// Younger files stay: an upload under way has no row yet, and none takes a day.
const DAY: TimeDelta = TimeDelta::days(1);

/// How long closed mails, and records of who was notified of what, are kept: no event is that old.
const NOTIFIED: TimeDelta = TimeDelta::days(400);

/// How long it is kept which files were uploaded together.
const LOTS: TimeDelta = TimeDelta::days(90);

/// How long the bytes of mails that were sent are kept.
const BODIES: TimeDelta = TimeDelta::days(30);

/// How long it is kept which programs ran, and how quickly jobs were done.
const PROGRAMS: TimeDelta = TimeDelta::days(2);

/// Rows that one transaction removes.
const BATCH: usize = 1000;

/// Works in small steps, each complete in itself: after an interruption, the purge of the next night goes on.
pub(crate) async fn purge(work: Work, _job: Purge) -> Result<()> {
    let now = work.clock.now();
    let old = now - TimeDelta::days(operate::DEAD_KEPT_DAYS);
    let jobs =
        batches_of(&work, BATCH, move |tx, n| Box::pin(operate::prune_dead(tx, old, n))).await?;
    let old = now - TimeDelta::days(operate::KEPT_DAYS.into());
    let freed =
        batches_of(&work, BATCH, move |tx, n| Box::pin(operate::forget_keys(tx, old, n))).await?;
    let rest =
        batches_of(&work, BATCH, move |tx, n| Box::pin(operate::prune_rest(tx, old, n))).await?;
    let batches =
        batches_of(&work, BATCH, move |tx, n| Box::pin(operate::forget_batches(tx, old, n)))
            .await?;
    // Each has up to 500 files.
    let lots = batches_of(&work, BATCH / 50, move |tx, n| {
        Box::pin(documents::lots::forget(tx, now - LOTS, n))
    })
    .await?;
    let told = batches_of(&work, BATCH, move |tx, n| {
        Box::pin(notifications::forget(tx, now - NOTIFIED, n))
    })
    .await?;
    batches_of(&work, BATCH, move |tx, n| {
        Box::pin(notifications::outgoing_mails::forget_departures(tx, n))
    })
    .await?;
    let bodies = batches_of(&work, BATCH, move |tx, n| {
        Box::pin(notifications::outgoing_mails::forget_bodies(tx, now - BODIES, n))
    })
    .await?;
    let accounts = batches_of(&work, BATCH, move |tx, n| Box::pin(auth::purge(tx, now, n))).await?;
    let sealing = work.sealing.clone();
    let sealed = batches_of(&work, BATCH, move |tx, n| {
        let sealing = sealing.clone();
        Box::pin(async move { auth::second_factor::seal_again(tx, &sealing, n).await })
    })
    .await?;
    let unreadable = auth::second_factor::count_unreadable(&work.pool, &work.sealing).await?;
    if unreadable > 0 {
        tracing::warn!(unreadable, "no key opens these second factors: an admin resets them");
    }
    let links =
        batches_of(&work, BATCH, move |tx, n| Box::pin(accounts::links::purge(tx, now, n))).await?;
    let exports = batches_of(&work, BATCH, move |tx, n| {
        Box::pin(async move {
            personal_data::purge(tx, now, usize::try_from(n).unwrap_or(usize::MAX)).await
        })
    })
    .await?;
    batches_of(&work, BATCH, move |tx, n| {
        Box::pin(accounts::pseudonyms::take_up(tx, now - DAY, now, n))
    })
    .await?;
    let rapports =
        batches_of(&work, BATCH, move |tx, n| Box::pin(rapports::purge(tx, now, n))).await?;
    let kept = TimeDelta::days(work.config.auth.audit_days);
    let audit =
        batches_of(&work, BATCH, move |tx, n| Box::pin(audit::prune(tx, kept, now, n))).await?;
    let programs = batches_of(&work, BATCH, move |tx, n| {
        Box::pin(operate::programs::forget(tx, now - PROGRAMS, n))
    })
    .await?;
    let answers =
        batches_of(&work, BATCH, move |tx, n| Box::pin(idempotence::prune(tx, now, n))).await?;
    let unfinished = work.storage.remove_abandoned(now - DAY).await?;
    let mut files = 0_usize;
    let mut keys = work.storage.list_older_than(now - DAY).try_chunks(500).map_err(|e| e.1);
    while let Some(keys) = keys.next().await {
        let keys = keys?;
        let mut unknown = documents::without_row(&work.pool, &keys).await?;
        unknown.extend(personal_data::without_row(&work.pool, &keys).await?);
        unknown.extend(rapports::without_row(&work.pool, &keys).await?);
        for key in unknown {
            work.storage.delete(&key).await?;
            files += 1;
        }
    }
    let totals = batches_of(&work, BATCH, move |tx, n| Box::pin(dashboard::add_up(tx, n))).await?;
    // The only step that reads a whole table: last, so that no other waits for it.
    let mut tx = work.begin().await?;
    let corrected = dashboard::correct(&mut tx).await?;
    tx.commit().await?;
    if corrected > 0 {
        tracing::warn!(corrected, "totals of the dashboard were wrong, and are corrected");
    }
    tracing::info!(
        jobs, rest, freed, batches, lots, told, bodies, accounts, sealed, links, exports, rapports,
        audit, programs, answers, totals, unfinished, files, "purged"
    );
    Ok(())
}
