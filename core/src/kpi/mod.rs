//! The indicators of maintenance over a period, read only: how reliable the machines are, how well visits are kept, how much work there is,
//! and how long it takes. One implementation for all who show them. `docs/KPI.md` says the same to those in charge.
//!
//! The database adds up, in one round trip, and Rust divides: `store` has the sums, `formules` what they mean.
mod formules;
mod periode;
mod store;
mod types;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

pub use periode::Periode;
pub use types::{Entrees, Indicateur, Indicateurs, Kpi, KpiFilter};

use crate::{Error, Lang, Noun, Result, clients, equipements, local, scope::Scope};

/// The indicators at `now` of the machines that `filter` names, within `scope`, with their words in `lang`. `NotFound` if the client or the
/// machine is outside the scope, or the machine is not that client's.
pub async fn kpi(
    pool: &PgPool,
    filter: &KpiFilter,
    scope: Scope,
    lang: Lang,
    now: DateTime<Utc>,
) -> Result<Kpi> {
    let periode = Periode::of(filter, now)?;
    let scope = narrowed(pool, filter.client_id, scope).await?;
    if let Some(id) = filter.equipement_id {
        equipements::find(pool, id, scope).await?;
    }
    let mesures = store::mesures(pool, &periode, scope, filter.equipement_id, now).await?;
    Ok(Kpi {
        du: periode.du,
        au: periode.au,
        debut: periode.debut,
        fin: periode.fin,
        zone: local::CASABLANCA,
        client_id: scope.client_id().filter(|id| *id > 0),
        equipement_id: filter.equipement_id,
        calcule_le: now,
        indicateurs: formules::all(&mesures, &periode, lang),
    })
}

/// The part of `scope` that is of this client.
async fn narrowed(pool: &PgPool, client_id: Option<i64>, scope: Scope) -> Result<Scope> {
    match (client_id, scope) {
        (None, scope) => Ok(scope),
        (Some(id), Scope::All) => Ok(Scope::Client(clients::find(pool, id).await?.id)),
        (Some(id), Scope::Client(own)) if id == own => Ok(scope),
        (Some(_), Scope::Client(_) | Scope::Nothing) => Err(Error::NotFound(Noun::CLIENT)),
    }
}
