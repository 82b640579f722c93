//! The state of the day, for those in charge: open, late, due and unassigned interventions, and the next visits.
pub mod jobs;
mod store;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use sqlx::PgConnection;

pub use store::{Ligne, Visite};

use crate::{Result, Tx, local, notifications::outgoing_mails, preferences};

/// The most lines in a section of a digest: people do not read longer mails.
const LINES: i64 = 10;

/// The first rows of a list, and the length of the whole list.
#[derive(Debug, Clone)]
pub struct Section<T> {
    pub total: i64,
    pub lignes: Vec<T>,
}

impl<T> Section<T> {
    /// Makes a section of rows that each carry the total.
    fn of(lignes: Vec<T>, total: impl Fn(&T) -> i64) -> Self {
        Self { total: lignes.first().map_or(0, total), lignes }
    }
}

/// The state of the day.
#[derive(Debug, Clone)]
pub struct EtatDuJour {
    /// Interventions that are not over.
    pub ouvertes: i64,
    /// Past their deadline.
    pub en_retard: Section<Ligne>,
    /// Deadline later on this local day.
    pub echeance_du_jour: Section<Ligne>,
    /// Without a technicien.
    pub non_affectees: Section<Ligne>,
    /// Plannings with a visit within seven days, today included.
    pub visites: Section<Visite>,
}

impl EtatDuJour {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ouvertes == 0 && self.visites.total == 0
    }
}

/// The state of the day at `now`.
pub async fn point(db: &mut PgConnection, now: DateTime<Utc>) -> Result<EtatDuJour> {
    let (today, tonight) = local::span_of(local::day_of(now));
    let week = local::start_of(local::day_of(now) + Days::new(7));
    Ok(EtatDuJour {
        ouvertes: store::count_open(db).await?,
        en_retard: store::late(db, now, LINES).await?,
        echeance_du_jour: store::due(db, now, tonight, LINES).await?,
        non_affectees: store::unassigned(db, LINES).await?,
        visites: store::visites(db, today, week, LINES).await?,
    })
}

/// A digest whose job runs so long after its tick is not sent: it is no longer morning.
const MORNING: TimeDelta = TimeDelta::hours(4);

/// Whether a digest that came due at `tick` is still worth sending at `now`; without a tick it is.
#[must_use]
pub fn is_fresh(tick: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    tick.is_none_or(|tick| now - tick < MORNING && local::day_of(tick) == local::day_of(now))
}

/// Opens the digest of the day for everybody in charge who wants it, to be sent at the end of their quiet hours. Returns how
/// many they are; each person gets one a day, however often this is called.
pub async fn send_all(tx: &mut Tx<'_>, now: DateTime<Utc>) -> Result<usize> {
    let readers = store::readers(&mut **tx).await?;
    for &user_id in &readers {
        open(tx, user_id, local::day_of(now), now).await?;
    }
    Ok(readers.len())
}

/// Opens the digest of `jour` for one person, unless it has been opened for that person before.
pub async fn open(
    tx: &mut Tx<'_>,
    user_id: i64,
    jour: NaiveDate,
    now: DateTime<Utc>,
) -> Result<()> {
    let delay = preferences::find(&mut **tx, user_id).await?.quiet_for(now).unwrap_or_default();
    outgoing_mails::open_digest(tx, user_id, jour, delay, now).await.map(drop)
}
