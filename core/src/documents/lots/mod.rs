//! Lots: files that are uploaded one by one and belong together (forty photos of one visit). The uploader is told once, when
//! all have been processed.
mod message;
mod store;

use std::time::Duration;

use apalis_hot::batch;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;

pub use store::{Lot, find, forget};

use super::{Document, jobs::ProcessDocument};
use crate::{
    Code, Error, Noun, Result, Tx,
    error::OnConstraint as _,
    jobs::{Job, enqueue_in, new_job},
    notifications::{self, CanalNotification, NotificationFields, TypeNotification, notified},
    scope::Reach,
};

impl Noun {
    pub const LOT: Self = Self::new(Code::LotIntrouvable, "Lot introuvable.", "Lot not found.");
}

/// A lot that nobody closes is closed after so long: a phone may have lost its network permanently.
const OPEN_FOR: Duration = Duration::from_hours(1);
/// The delay after which a lot is checked again while one of its documents is being reprocessed.
const AGAIN: Duration = Duration::from_mins(1);
/// Files of one lot, at most.
pub const MOST: i64 = 500;

/// A lot on the wire. Its files are counted as they stand now; those that were removed are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LotOut {
    pub id: i64,
    pub intervention_id: i64,
    pub ouvert_par: Option<i64>,
    pub ouvert_le: DateTime<Utc>,
    /// Null while files may be added.
    pub ferme_le: Option<DateTime<Utc>>,
    pub prets: i64,
    pub refuses: i64,
    /// Received, and not looked at to the end.
    pub en_cours: i64,
    /// It is closed, and every file is ready or refused.
    pub termine: bool,
}

impl From<Lot> for LotOut {
    fn from(lot: Lot) -> Self {
        Self {
            id: lot.id,
            intervention_id: lot.intervention_id,
            ouvert_par: lot.ouvert_par,
            ouvert_le: lot.ouvert_le,
            ferme_le: lot.ferme_le,
            prets: lot.prets,
            refuses: lot.refuses,
            en_cours: lot.en_cours,
            termine: lot.ferme_le.is_some() && lot.en_cours == 0,
        }
    }
}

/// Closes a lot whose time is over, and tells its owner when all of its files have been processed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportLot {
    pub lot_id: i64,
    /// In the job that runs after an hour: the batch of the queue, which is to be closed even if the lot is gone by then.
    pub attente: Option<String>,
}

impl Job for ReportLot {
    const QUEUE: &'static str = "documents.lots";
}

/// Opens a lot of files of an intervention for user `by`. A job closes it after an hour.
pub async fn open(
    tx: &mut Tx<'_>,
    intervention_id: i64,
    by: i64,
    now: DateTime<Utc>,
) -> Result<LotOut> {
    let lot_id = store::next_id(tx).await?;
    let then = ReportLot { lot_id, attente: None };
    let attente = batch::open(tx, &new_job(&then, Duration::ZERO)?).await?;
    store::insert(tx, lot_id, intervention_id, by, &attente, now)
        .await
        .on_constraint("lots_intervention_id_fkey", || Error::NotFound(Noun::INTERVENTION))?;
    enqueue_in(tx, &ReportLot { lot_id, attente: Some(attente) }, OPEN_FOR).await?;
    Ok(find(&mut **tx, lot_id).await?.into())
}

/// Checks that user `by` may add files of `intervention_id` to lot `id`. `NotFound` if somebody else opened it, or for another
/// intervention; `Conflict` if it is closed, or has [`MOST`] files.
pub async fn ensure_open(
    db: impl PgExecutor<'_>,
    id: i64,
    intervention_id: i64,
    by: i64,
) -> Result<()> {
    judge(&find(db, id).await?, intervention_id, by)
}

fn judge(lot: &Lot, intervention_id: i64, by: i64) -> Result<()> {
    if lot.intervention_id != intervention_id || lot.ouvert_par != Some(by) {
        return Err(Error::NotFound(Noun::LOT));
    }
    if lot.ferme_le.is_some() {
        return Err(Error::conflict(
            Code::LotFerme,
            "Ce lot est fermé : ouvrez-en un autre, ou déposez ce fichier seul.",
            "This lot is closed: open another one, or upload this file by itself.",
        ));
    }
    if lot.prets + lot.refuses + lot.en_cours >= MOST {
        return Err(Error::conflict(
            Code::LotPlein,
            format!("Ce lot a déjà {MOST} fichiers : fermez-le et ouvrez-en un autre."),
            format!("This lot has {MOST} files already: close it and open another one."),
        ));
    }
    Ok(())
}

/// Puts a document into lot `id`, and enqueues its processing in the lot's batch.
pub(super) async fn add(tx: &mut Tx<'_>, id: i64, document: &Document, by: i64) -> Result<()> {
    // Concurrent uploads to one lot wait for each other, so that the last place is given once.
    store::lock(tx, id).await?;
    let lot = find(&mut **tx, id).await?;
    judge(&lot, document.intervention_id, by)?;
    store::add(tx, id, document.id).await?;
    let job = new_job(&ProcessDocument::of(document), Duration::ZERO)?;
    batch::add(tx, &lot.attente, &job).await?;
    tx.announce(ProcessDocument::QUEUE);
    Ok(())
}

/// Closes lot `id`: no more files can be added. Idempotent. `NotFound` if it is out of `reach`.
pub async fn close(tx: &mut Tx<'_>, id: i64, reach: Reach, now: DateTime<Utc>) -> Result<LotOut> {
    close_whole(tx, id, reach, now).await?;
    Ok(find(&mut **tx, id).await?.into())
}

/// The same; returns the lot as it was before.
async fn close_whole(tx: &mut Tx<'_>, id: i64, reach: Reach, now: DateTime<Utc>) -> Result<Lot> {
    store::lock(tx, id).await?;
    let lot = find(&mut **tx, id).await?;
    if !reach.covers(lot.ouvert_par) {
        return Err(Error::NotFound(Noun::LOT));
    }
    if lot.ferme_le.is_none() {
        store::close(tx, id, now).await?;
        batch::close(tx, &lot.attente).await?;
        tx.announce(ReportLot::QUEUE);
    }
    Ok(lot)
}

/// Runs [`ReportLot`]. Run twice, it notifies once.
pub async fn report(tx: &mut Tx<'_>, job: &ReportLot, now: DateTime<Utc>) -> Result<()> {
    match (report_one(tx, job.lot_id, now).await, &job.attente) {
        // The lot was removed with its intervention: the batch is closed, and nobody is told.
        (Err(Error::NotFound(Noun::LOT)), Some(attente)) => match batch::close(tx, attente).await {
            Err(apalis_hot::Error::NotFound(_)) => Ok(()),
            closed => Ok(closed?),
        },
        (Err(Error::NotFound(Noun::LOT)), None) => Ok(()),
        (settled, _) => settled,
    }
}

async fn report_one(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<()> {
    let attente = close_whole(tx, id, Reach::All, now).await?.attente;
    // Some files are still being processed: when the last has ended, the batch enqueues this job again.
    if batch::summary(&mut **tx, &attente).await?.ended_at.is_none() {
        return Ok(());
    }
    // Read after the batch has ended, so that every file counts.
    let lot = find(&mut **tx, id).await?;
    // A file that is being reprocessed is in no batch.
    if lot.en_cours > 0 {
        return enqueue_in(tx, &ReportLot { lot_id: id, attente: None }, AGAIN).await;
    }
    let (Some(user_id), Some(contenu)) = (lot.ouvert_par, message::of(&lot)) else {
        return Ok(());
    };
    if !notified::claim(&mut **tx, &format!("lot {id}"), user_id, now).await? {
        return Ok(());
    }
    let new = NotificationFields {
        type_: TypeNotification::Information,
        canal: CanalNotification::Log,
        contenu: Some(contenu.in_lang(store::langue(tx, user_id).await?).to_owned()),
        intervention_id: Some(lot.intervention_id),
        planning_id: None,
        user_id,
    };
    notifications::create(tx, &new, now).await?;
    Ok(())
}
