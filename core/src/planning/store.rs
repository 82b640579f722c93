//! SQL of the `plannings` table, and nothing else.
use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{
    Echeance, FrequencePlanning, Planning, PlanningCreate, PlanningFilter, SORTABLE, StatutPlanning,
};
use crate::{
    Error, Noun, Result,
    page::{self, Listed},
    scope::Scope,
};

macro_rules! query_plannings {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Planning,
            r#"
                select p.id, frequence as "frequence: FrequencePlanning", prochaine_date, derniere_date,
                       p.statut as "statut: StatutPlanning", commentaire, equipement_id, date_creation, version, jour, heure
                from plannings p
            "# + $rest,
            $($argument),+
        )
    };
}

/// The planning `id` if its machine is in `scope`.
pub async fn find(db: impl PgExecutor<'_>, id: i64, scope: Scope) -> Result<Planning> {
    query_plannings!(
        r#"
            where p.id = $1
              and ($2::bigint is null
                   or exists (select from equipements e where e.id = p.equipement_id and e.client_id = $2))
        "#,
        id,
        scope.client_id(),
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::PLANNING))
}

/// The plannings of `filter` of machines in `scope`.
pub async fn list(
    pool: &PgPool,
    filter: &PlanningFilter,
    scope: Scope,
) -> Result<Listed<Planning>> {
    page::list(pool, "plannings", SORTABLE, &filter.page, |query| push_where(query, filter, scope))
        .await
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &PlanningFilter, scope: Scope) {
    query.push(" where true");
    if let Some(equipement_id) = filter.equipement_id {
        query.push(" and equipement_id = ").push_bind(equipement_id);
    }
    if let Some(statut) = filter.statut {
        query.push(" and statut = ").push_bind(statut);
    }
    scope.push(query, "equipement_id in (select id from equipements where client_id = ?)");
}

/// The planning `id`, locked until the transaction ends.
pub(super) async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<Planning> {
    let found = query_plannings!("where p.id = $1 for update", id).fetch_optional(tx).await?;
    found.ok_or(Error::NotFound(Noun::PLANNING))
}

/// A planning with a visit to open or to announce, and the name of its machine.
pub(super) struct Due {
    pub planning: Planning,
    pub equipement: String,
}

pub(super) async fn due(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select p.id from plannings p join equipements e on e.id = p.equipement_id
            where p.statut in ('actif', 'en_retard') and p.prochaine_date <= $1 and p.id > $2 and e.statut <> 'retire'
            order by p.id limit $3
        "#,
        now,
        after,
        limit,
    )
    .fetch_all(db)
    .await?)
}

/// The planning `id` if it is due at `now`, locked until the transaction ends.
pub(super) async fn lock_due(
    tx: &mut PgConnection,
    id: i64,
    now: DateTime<Utc>,
) -> Result<Option<Due>> {
    let row = sqlx::query!(
        r#"
            select e.nom from plannings p join equipements e on e.id = p.equipement_id
            where p.id = $1 and p.statut in ('actif', 'en_retard') and p.prochaine_date <= $2 and e.statut <> 'retire'
            for update of p
        "#,
        id,
        now,
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Due { planning: find(tx, id, Scope::All).await?, equipement: row.nom }))
}

/// The plannings with a visit in `from..to` that has not been announced, locked; those that another worker has locked are
/// left out. A daily planning has a visit there even if its next one is before.
pub(super) async fn lock_unannounced(
    tx: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"
            select p.id, e.nom from plannings p join equipements e on e.id = p.equipement_id
            where p.statut in ('actif', 'en_retard') and e.statut <> 'retire'
              and (p.prochaine_date >= $1 or p.frequence = 'journalier') and p.prochaine_date < $2
              and (p.rappel_signale is null or p.rappel_signale < $1 or p.rappel_signale >= $2)
            order by p.prochaine_date, p.id limit $3
            for update of p skip locked
        "#,
        from,
        to,
        limit,
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut plannings = of_ids(tx, rows.iter().map(|row| row.id).collect()).await?;
    let due = rows
        .into_iter()
        .filter_map(|row| Some(Due { planning: plannings.remove(&row.id)?, equipement: row.nom }));
    Ok(due.collect())
}

pub(super) async fn set_announced(
    tx: &mut PgConnection,
    id: i64,
    date: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("update plannings set rappel_signale = $2 where id = $1", id, date)
        .execute(tx)
        .await?;
    Ok(())
}

/// A planning as a calendar shows it.
#[derive(Debug, Clone)]
pub struct CalendarRow {
    pub planning: Planning,
    pub equipement: String,
    pub localisation: String,
}

/// The active plannings of machines that are not retired, in `scope`, by the date of the next visit.
pub async fn calendar(pool: &PgPool, scope: Scope, limit: i64) -> Result<Vec<CalendarRow>> {
    let rows = sqlx::query!(
        r#"
            select p.id, e.nom, e.localisation from plannings p join equipements e on e.id = p.equipement_id
            where p.statut in ('actif', 'en_retard') and e.statut <> 'retire' and ($1::bigint is null or e.client_id = $1)
            order by p.prochaine_date, p.id limit $2
        "#,
        scope.client_id(),
        limit,
    )
    .fetch_all(pool)
    .await?;
    let mut plannings = of_ids(pool, rows.iter().map(|row| row.id).collect()).await?;
    // A planning that was removed or stopped between the two statements is left out.
    let found = rows.into_iter().filter_map(|row| {
        let planning = plannings.remove(&row.id).filter(|planning| planning.statut.is_active())?;
        Some(CalendarRow { planning, equipement: row.nom, localisation: row.localisation })
    });
    Ok(found.collect())
}

/// The plannings `ids`, by id.
async fn of_ids(db: impl PgExecutor<'_>, ids: Vec<i64>) -> Result<HashMap<i64, Planning>> {
    let found = query_plannings!("where p.id = any($1)", &ids).fetch_all(db).await?;
    Ok(found.into_iter().map(|planning| (planning.id, planning)).collect())
}

pub(super) async fn is_retired(db: impl PgExecutor<'_>, equipement_id: i64) -> Result<bool> {
    let retired = sqlx::query_scalar!(
        r#"select statut = 'retire' as "retired!" from equipements where id = $1"#,
        equipement_id,
    );
    Ok(retired.fetch_optional(db).await?.unwrap_or(true))
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

/// Writes every field of `planning` that can change; its next visit is `echeance`.
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
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::PLANNING)) }
}
