//! Makes the files of reports: row by row, in memory that does not grow with them.
mod csv;
mod lecture;
mod xlsx;

use std::time::Duration;

use erp_core::{
    Error, Result,
    jobs::{Dependency, Verdict},
    rapports::{
        self, FormatRapport, Motif,
        generation::{self, Wanted},
        jobs::MakeReport,
        listes::Liste,
    },
};

use crate::work::Work;

/// Each attempt writes files of its own, so that one that was interrupted, or goes on although another has begun, cannot change
/// what another has written.
pub(crate) async fn make(work: Work, job: MakeReport) -> Result<Verdict> {
    let mut tx = work.begin().await?;
    let wanted = generation::begin(&mut tx, &job, work.clock.now()).await?;
    tx.commit().await?;
    let Some(wanted) = wanted else { return Ok(Verdict::Done) };
    let liste = match open(&work, &wanted).await? {
        Ok(liste) => liste,
        Err(motif) => {
            let mut tx = work.begin().await?;
            generation::fail(&mut tx, &job, motif, work.clock.now()).await?;
            return tx.commit().await.map(Verdict::from);
        }
    };
    let made = match wanted.format {
        FormatRapport::Csv => Box::pin(csv::write(&work, &wanted, &liste)).await?,
        FormatRapport::Xlsx => Box::pin(xlsx::write(&work, &wanted, &liste)).await?,
    };
    let Some(made) = made else {
        // This process is to end: another one goes on. Or nobody waits for the report any more.
        let is_asked = work.is_cancelled();
        return Ok(if is_asked { Verdict::Snooze(Duration::ZERO) } else { Verdict::Done });
    };
    work.answered(Dependency::Storage);
    let mut tx = work.begin().await?;
    if generation::finish(&mut tx, &wanted, &made, work.clock.now()).await? {
        return tx.commit().await.map(Verdict::from);
    }
    drop(tx);
    // Cancelled, removed or asked for again since the last row.
    work.storage.delete(&rapports::key(made.fichier, wanted.format)).await?;
    Ok(Verdict::Done)
}

/// The list with the rights that the owner has now, or why there is none.
async fn open(work: &Work, wanted: &Wanted) -> Result<Result<Liste, Motif>> {
    let Some(reader) = generation::reader(&work.pool, wanted.user_id).await? else {
        return Ok(Err(Motif::Droits));
    };
    match Liste::open(&work.pool, wanted.type_, &wanted.filtres, reader).await {
        Ok(liste) => Ok(Ok(liste)),
        Err(Error::Forbidden { .. }) => Ok(Err(Motif::Droits)),
        Err(Error::NotFound(_) | Error::Invalid(_)) => Ok(Err(Motif::Filtres)),
        Err(other) => Err(other),
    }
}
