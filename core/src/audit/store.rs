//! SQL of `audit` and `audit_jours`, and nothing else. A trigger chains the rows when their transaction commits.
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{AuditFilter, AuditList, AuditOut, Entry, SORTABLE};
use crate::{
    Result,
    page::{self, Columns as _, Listed},
};

pub(super) async fn insert(
    tx: &mut PgConnection,
    entry: &Entry<'_>,
    request_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into audit (jour, horodatage, action, user_id, session_id, adresse, request_id, cible, cible_id, avant, apres)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        "#,
        now.date_naive(),
        now,
        entry.acte.as_str(),
        entry.auteur.user_id,
        entry.auteur.session,
        entry.auteur.adresse,
        request_id,
        entry.cible.as_ref().map(|(cible, _)| cible.as_str()),
        entry.cible.as_ref().map(|(_, id)| id),
        entry.avant,
        entry.apres,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub async fn list(pool: &PgPool, list: &AuditList) -> Result<Listed<AuditOut>> {
    page::list(pool, "audit", SORTABLE, &list.page, |query| push_where(query, &list.filter)).await
}

/// Up to `limit` lines after line `id`, the oldest first.
pub async fn after(
    pool: &PgPool,
    filter: &AuditFilter,
    id: i64,
    limit: i64,
) -> Result<Vec<AuditOut>> {
    let mut query = QueryBuilder::new("select ");
    query.push(AuditOut::OWN).push(" from audit");
    push_where(&mut query, filter);
    query.push(" and id > ").push_bind(id).push(" order by id limit ").push_bind(limit);
    Ok(query.build_query_as().fetch_all(pool).await?)
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &AuditFilter) {
    query.push(" where true");
    if let Some(user_id) = filter.user_id {
        query.push(" and user_id = ").push_bind(user_id);
    }
    if let Some(action) = filter.action {
        query.push(" and action = ").push_bind(action.as_str());
    }
    if let Some(cible) = filter.cible {
        query.push(" and cible = ").push_bind(cible.as_str());
    }
    if let Some(cible_id) = &filter.cible_id {
        query.push(" and cible_id = ").push_bind(cible_id.clone());
    }
    if let Some(from) = filter.date_from {
        query.push(" and horodatage >= ").push_bind(from);
    }
    if let Some(to) = filter.date_to {
        query.push(" and horodatage <= ").push_bind(to);
    }
}

/// Calls a function of the database that runs with the rights of its owner: the role of the programs may only insert and read.
pub(super) async fn prune(
    db: impl PgExecutor<'_>,
    before: NaiveDate,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<i64> {
    let gone =
        sqlx::query_scalar!(r#"select audit_elaguer($1, $2, $3) as "gone!""#, before, now, limit);
    Ok(gone.fetch_one(db).await?)
}
