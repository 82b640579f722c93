//! Reads the rows of a report, and says how far it is.
use erp_core::{
    Result,
    rapports::{
        generation::{self, Wanted},
        listes::{Cellule, Liste, With},
    },
};

use crate::work::Work;

/// Rows that one statement reads: at first, and at most. In between it is what gives lots of about so many bytes, since a row may
/// have four texts of 10 000 characters.
const FIRST_ROWS: i64 = 100;
const MOST_ROWS: i64 = 1000;
const BYTES: i64 = 2 * 1024 * 1024;
/// After so many lots it is said how far the report is, and asked whether somebody still waits for it.
const LOTS: u32 = 5;

/// The rows of a list, from a place on.
pub(super) struct Lecture<'a> {
    work: &'a Work,
    wanted: &'a Wanted,
    liste: &'a Liste,
    /// Where the next rows begin; `None` at the start, and at the end.
    pub apres: Option<String>,
    /// Rows read, those of earlier attempts too.
    pub lignes: i64,
    prevues: Option<i64>,
    is_over: bool,
    lots: u32,
    limit: i64,
}

/// What there is to write.
pub(super) enum Suite {
    Lignes(Vec<Vec<Cellule>>),
    Fin,
    /// Nobody waits for the report any more, or this process is to end.
    Arret,
}

impl<'a> Lecture<'a> {
    /// Begins after `lignes` rows, of which the last is at `apres`.
    pub async fn begin(
        work: &'a Work,
        wanted: &'a Wanted,
        liste: &'a Liste,
        (apres, lignes): (Option<String>, i64),
    ) -> Result<Self> {
        let (is_over, lots, limit, prevues) = (false, 0, FIRST_ROWS, wanted.lignes_prevues);
        let mut lecture =
            Self { work, wanted, liste, apres, lignes, prevues, is_over, lots, limit };
        if lignes == 0 {
            lecture.prevues = liste.count(&work.pool, lecture.with()).await;
        }
        Ok(lecture)
    }

    fn with(&self) -> With<'a> {
        With {
            sla: &self.work.config.sla,
            signed_urls: &self.work.signed_urls,
            as_of: self.wanted.debut_le,
        }
    }

    pub async fn next(&mut self) -> Result<Suite> {
        if self.is_over {
            return Ok(if self.advance().await? { Suite::Fin } else { Suite::Arret });
        }
        let (pool, apres, langue) = (&self.work.pool, self.apres.as_deref(), self.wanted.langue);
        let lot = self.liste.lot(pool, apres, self.limit, langue, self.with()).await?;
        let rows = i64::try_from(lot.lignes.len()).unwrap_or(i64::MAX);
        self.lignes += rows;
        self.limit = (BYTES * rows / bytes(&lot.lignes).max(1)).clamp(1, MOST_ROWS);
        self.is_over = lot.suite.is_none();
        self.apres = lot.suite;
        if self.lots.is_multiple_of(LOTS) && !self.advance().await? {
            return Ok(Suite::Arret);
        }
        self.lots += 1;
        Ok(Suite::Lignes(lot.lignes))
    }

    /// Says how far it is; `false` if it is to stop.
    async fn advance(&self) -> Result<bool> {
        if self.work.is_cancelled() {
            return Ok(false);
        }
        let mut tx = self.work.begin().await?;
        let goes_on =
            generation::advance(&mut tx, &self.wanted.job, self.lignes, self.prevues).await?;
        tx.commit().await?;
        Ok(goes_on)
    }
}

/// About how many bytes the texts of these rows have.
fn bytes(lignes: &[Vec<Cellule>]) -> i64 {
    let size = |cellule: &Cellule| match cellule {
        Cellule::Texte(text) => text.len(),
        _ => 8,
    };
    let all: usize = lignes.iter().flatten().map(size).sum();
    i64::try_from(all).unwrap_or(i64::MAX)
}

/// Whether the file is still to be made, between two steps that read no rows.
pub(super) async fn goes_on(work: &Work, wanted: &Wanted) -> Result<bool> {
    Ok(!work.is_cancelled() && generation::is_wanted(&work.pool, &wanted.job).await?)
}
