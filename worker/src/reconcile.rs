//! The nightly comparison of rows and jobs.
use std::collections::BTreeMap;

use erp_core::{
    Error, Result,
    reconcile::{self, Kind, jobs::Reconcile},
};
use serde::{Deserialize, Serialize};

use crate::work::Work;

/// Rows that are looked up and mended in one step.
const BATCH: i64 = 200;

/// What an attempt leaves for the next one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Checkpoint {
    /// The kinds that have been looked at to their end.
    done: Vec<String>,
    /// Of the other kinds, the id of the last row that has been looked at.
    after: BTreeMap<String, i64>,
}

/// Mends and records each batch in a transaction of its own, together with how far it is: another attempt goes on where
/// this one ended, and counts nothing twice. A kind that cannot be looked at does not hold up the others; the next attempt
/// tries it again.
pub(crate) async fn reconcile(work: Work, _job: Reconcile) -> Result<()> {
    let mut checkpoint: Checkpoint = work.checkpoint().unwrap_or_default();
    let mut broken = None;
    for kind in Kind::ALL {
        let name = kind.as_str();
        if checkpoint.done.iter().any(|done| done == name) {
            continue;
        }
        work.progress(checkpoint.done.len(), Kind::ALL.len(), kind.in_french()).await?;
        match look_at(&work, kind, &mut checkpoint).await {
            Ok(0) => {}
            Ok(found) => {
                tracing::warn!(finding = name, found, "rows and jobs do not agree");
            }
            Err(Error::LeaseLost) => return Err(Error::LeaseLost),
            Err(error) => {
                tracing::error!(finding = name, error = format!("{error:#}"), "not looked at");
                broken = Some(error);
            }
        }
    }
    broken.map_or(Ok(()), Err)
}

/// Looks at the rows of `kind` after the checkpoint; returns how many did not agree with the jobs.
async fn look_at(work: &Work, kind: Kind, checkpoint: &mut Checkpoint) -> Result<usize> {
    let now = work.clock.now();
    let run = work.lease.as_ref().map_or("", |lease| &lease.job_id);
    let name = kind.as_str().to_owned();
    let mut found = 0;
    loop {
        let after = checkpoint.after.get(&name).copied().unwrap_or_default();
        let ids = reconcile::find(&work.pool, kind, after, BATCH, now).await?;
        let mut next = checkpoint.clone();
        match ids.last() {
            Some(&last) => drop(next.after.insert(name.clone(), last)),
            None => next.done.push(name.clone()),
        }
        let mut tx = work.begin().await?;
        let mended = reconcile::mend(&mut tx, kind, &ids, now).await?;
        reconcile::record(&mut tx, kind, run, ids.len(), mended, now).await?;
        work.save_checkpoint(&mut tx, &next).await?;
        tx.commit().await?;
        *checkpoint = next;
        found += ids.len();
        if ids.is_empty() {
            return Ok(found);
        }
    }
}
