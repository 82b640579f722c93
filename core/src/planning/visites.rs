//! The visits of a planning: opened when they are due, once each, and previewed.
use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::{Planning, StatutPlanning, store};
use crate::{
    Result, Tx,
    interventions::{self, NewVisite},
    time_rules,
};

/// The plannings after `after` that are due at `now`, by id, at most `limit`.
pub async fn due(pool: &PgPool, now: DateTime<Utc>, after: i64, limit: i64) -> Result<Vec<i64>> {
    store::due(pool, now, after, limit).await
}

/// Opens the intervention of planning `id` if it is due at `now`, and moves its dates on. Returns None if it is not due, or
/// not any more. A due date opens one at most: the row is locked, and the pair of planning and date is unique.
pub async fn open_visite(tx: &mut Tx<'_>, id: i64, now: DateTime<Utc>) -> Result<Option<i64>> {
    time_rules::in_step(tx).await?;
    let Some(due) = store::lock_due(tx, id, now).await? else { return Ok(None) };
    let planning = due.planning;
    let echeance = planning.echeance();
    let visite = NewVisite {
        planning_id: id,
        echeance: planning.prochaine_date,
        equipement_id: planning.equipement_id,
        titre: format!("Maintenance préventive - {}", due.equipement),
        description: planning.commentaire.clone(),
        date_limite: echeance.limite(planning.frequence, now),
    };
    let opened = interventions::open_for_planning(tx, &visite, now).await?;
    let next = echeance.after_visit(planning.frequence, now);
    let moved = Planning {
        derniere_date: Some(planning.prochaine_date),
        statut: StatutPlanning::Actif,
        ..planning
    };
    store::save(tx, &moved, next).await?;
    Ok(opened)
}

/// The next `n` dates of `planning` if nobody changes it; none if it is not active, or its machine is retired.
pub async fn apercu(
    pool: &PgPool,
    planning: &Planning,
    n: usize,
    now: DateTime<Utc>,
) -> Result<Vec<DateTime<Utc>>> {
    if !planning.statut.is_active() || store::is_retired(pool, planning.equipement_id).await? {
        return Ok(Vec::new());
    }
    Ok(planning.dates(now).take(n).collect())
}

impl Planning {
    /// The coming dates, without end; the first one may be in the past.
    pub fn dates(&self, now: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        let frequence = self.frequence;
        std::iter::successors(Some(self.echeance()), move |one| {
            Some(one.after_visit(frequence, now.max(one.date)))
        })
        .map(|echeance| echeance.date)
    }
}
