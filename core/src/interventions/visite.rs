//! Interventions that a planning opens.
use chrono::{DateTime, Utc};

use super::{StatutIntervention, historique, store};
use crate::{Result, Tx};

/// A visit that is due.
#[derive(Debug, Clone)]
pub struct NewVisite {
    pub planning_id: i64,
    /// The due date; with the planning it identifies the visit.
    pub echeance: DateTime<Utc>,
    pub equipement_id: i64,
    pub titre: String,
    pub description: Option<String>,
    pub date_limite: DateTime<Utc>,
}

/// Opens the intervention of a visit, of priority `programmee`. `None`: it has been opened before.
pub(crate) async fn open_for_planning(
    tx: &mut Tx<'_>,
    visite: &NewVisite,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let Some(id) = store::insert_visite(tx, visite, now).await? else { return Ok(None) };
    let remarque = Some("Ouverte par le planning de maintenance");
    historique::record(tx, id, StatutIntervention::Ouverte, remarque, None, now).await?;
    Ok(Some(id))
}
