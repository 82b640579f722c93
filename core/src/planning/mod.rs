//! Preventive maintenance: which machine is visited how often, and when next.
pub mod jobs;
mod rappels;
mod recurrence;
mod store;
mod types;
mod visites;

use chrono::{DateTime, Utc};

use crate::{Code, Error, Noun, Result, Tx, error::OnConstraint as _, scope::Scope, time_rules};

pub use rappels::remind;
pub use recurrence::Echeance;
pub use store::{CalendarRow, calendar, find, list};
pub use types::{
    FrequencePlanning, NouvelleDate, Planning, PlanningCreate, PlanningFilter, PlanningPatch,
    SORTABLE, StatutPlanning,
};
pub use visites::{apercu, due, open_visite};

impl Noun {
    pub const PLANNING: Self = Self::new(
        Code::PlanningIntrouvable,
        "Planning introuvable.",
        "Maintenance plan not found.",
    );
}

/// Plans the visits of a machine. Without a date the next one is a period after the last one, or after `now`.
pub async fn create(tx: &mut Tx<'_>, new: &PlanningCreate, now: DateTime<Utc>) -> Result<Planning> {
    time_rules::in_step(tx).await?;
    let echeance = match new.prochaine_date {
        Some(date) => Echeance::at(date),
        None => Echeance::at(new.derniere_date.unwrap_or(now)).next(new.frequence),
    };
    let id = store::insert(tx, new, echeance, now)
        .await
        .on_constraint("plannings_equipement_id_fkey", || Error::NotFound(Noun::EQUIPEMENT))?;
    store::find(&mut **tx, id, Scope::All).await
}

/// The planning `id`, locked until `tx` ends.
pub async fn find_for_update(tx: &mut Tx<'_>, id: i64) -> Result<Planning> {
    // Before the row: a transaction that takes over other rules of time locks both in this order.
    time_rules::in_step(tx).await?;
    store::find_for_update(tx, id).await
}

/// Changes the fields that `patch` names. A new frequency applies from the next visit on, whose date stays.
pub async fn update(tx: &mut Tx<'_>, id: i64, patch: PlanningPatch) -> Result<Planning> {
    let old = find_for_update(tx, id).await?;
    let echeance = old.echeance();
    let echeance = echeance.moved_to(patch.prochaine_date.unwrap_or(echeance.date));
    let new = Planning {
        frequence: patch.frequence.unwrap_or(old.frequence),
        statut: patch.statut.unwrap_or(old.statut),
        commentaire: patch.commentaire.over(old.commentaire),
        ..old
    };
    store::save(tx, &new, echeance).await?;
    store::find(&mut **tx, id, Scope::All).await
}

/// Closes the visit that was due and plans the one after it at `date`. If that is the day on which it would be due anyway,
/// later visits keep their day of the month.
pub async fn move_on(tx: &mut Tx<'_>, id: i64, date: DateTime<Utc>) -> Result<Planning> {
    let old = find_for_update(tx, id).await?;
    let echeance = old.echeance().next(old.frequence).moved_to(date);
    let new = Planning { derniere_date: Some(old.prochaine_date), ..old };
    store::save(tx, &new, echeance).await?;
    store::find(&mut **tx, id, Scope::All).await
}

/// Removes a planning; the interventions that it opened stay.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    store::delete(tx, id).await
}
