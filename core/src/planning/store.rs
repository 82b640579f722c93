//! SQL of the `plannings` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{
    Echeance, FrequencePlanning, Planning, PlanningCreate, PlanningFilter, SORTABLE, StatutPlanning,
};
use crate::{
    Error, Noun, Result,
    page::{self, Listed},
};

/// The planning `id`; for a user of a client (`only`) only on that client's equipment.
pub async fn find(db: impl PgExecutor<'_>, id: i64, only: Option<i64>) -> Result<Planning> {
    sqlx::query_as!(
        Planning,
        r#"
            select p.id, frequence as "frequence: FrequencePlanning", prochaine_date, derniere_date,
                   p.statut as "statut: StatutPlanning", commentaire, equipement_id, date_creation, jour, heure
            from plannings p
            where p.id = $1
              and ($2::bigint is null
                   or exists (select from equipements e where e.id = p.equipement_id and e.client_id = $2))
        "#,
        id,
        only,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::Planning))
}

/// The plannings of `filter`; for a user of a client (`only`) only those of that client's equipment.
pub async fn list(
    pool: &PgPool,
    filter: &PlanningFilter,
    only: Option<i64>,
) -> Result<Listed<Planning>> {
    page::list(pool, "plannings", SORTABLE, &filter.page, |query| push_where(query, filter, only))
        .await
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &PlanningFilter, only: Option<i64>) {
    query.push(" where true");
    if let Some(equipement_id) = filter.equipement_id {
        query.push(" and equipement_id = ").push_bind(equipement_id);
    }
    if let Some(statut) = filter.statut {
        query.push(" and statut = ").push_bind(statut);
    }
    if let Some(client_id) = only {
        query.push(" and equipement_id in (select id from equipements where client_id = ");
        query.push_bind(client_id).push(")");
    }
}

/// The planning `id`, locked until the transaction ends.
pub(super) async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<Planning> {
    sqlx::query!("select id from plannings where id = $1 for update", id)
        .fetch_optional(&mut *tx)
        .await?;
    find(tx, id, None).await
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &PlanningCreate,
    echeance: Echeance,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
            insert into plannings
                (equipement_id, frequence, prochaine_date, jour, heure, derniere_date, commentaire, date_creation)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            returning id
        "#,
        new.equipement_id,
        new.frequence as FrequencePlanning,
        echeance.date,
        i16::try_from(echeance.jour).ok(),
        echeance.heure,
        new.derniere_date,
        new.commentaire,
        now,
    )
    .fetch_one(tx)
    .await
}

/// Writes all that can change of `planning`, whose next visit is `echeance`.
pub(super) async fn save(
    tx: &mut PgConnection,
    planning: &Planning,
    echeance: Echeance,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
            update plannings
            set frequence = $2, prochaine_date = $3, jour = $4, heure = $5, derniere_date = $6, statut = $7,
                commentaire = $8
            where id = $1
        "#,
        planning.id,
        planning.frequence as FrequencePlanning,
        echeance.date,
        i16::try_from(echeance.jour).ok(),
        echeance.heure,
        planning.derniere_date,
        planning.statut as StatutPlanning,
        planning.commentaire,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64) -> Result<()> {
    let done = sqlx::query!("delete from plannings where id = $1", id).execute(tx).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::Planning)) }
}
