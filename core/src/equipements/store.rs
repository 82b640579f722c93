//! SQL of the `equipements` table, and nothing else.
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{
    CriticiteEquipement, Equipement, EquipementFields, EquipementFilter, SORTABLE, StatutEquipement,
};
use crate::{
    Error, Noun, Result,
    page::{self, Listed, push_search},
    scope::Scope,
};

macro_rules! query_equipements {
    ($rest:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Equipement,
            r#"
                select id, nom, type as type_, localisation, frequence_entretien, numero_serie, marque, modele,
                       statut as "statut: StatutEquipement", criticite as "criticite: CriticiteEquipement",
                       description, date_acquisition, client_id, version
                from equipements
            "# + $rest,
            $($argument),+
        )
    };
}

/// The machine `id` if it is in `scope`.
pub async fn find(db: impl PgExecutor<'_>, id: i64, scope: Scope) -> Result<Equipement> {
    query_equipements!(
        "where id = $1 and ($2::bigint is null or client_id = $2)",
        id,
        scope.client_id(),
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::EQUIPEMENT))
}

/// The machines that match `filter`, within `scope`.
pub async fn list(
    pool: &PgPool,
    filter: &EquipementFilter,
    scope: Scope,
) -> Result<Listed<Equipement>> {
    page::list(pool, "equipements", SORTABLE, &filter.page, |query| {
        push_where(query, filter, scope);
    })
    .await
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &EquipementFilter, scope: Scope) {
    query.push(" where true");
    if let Some(type_) = &filter.type_ {
        query.push(" and type = ").push_bind(type_.clone());
    }
    if let Some(localisation) = &filter.localisation {
        query.push(" and localisation = ").push_bind(localisation.clone());
    }
    if let Some(statut) = filter.statut {
        query.push(" and statut = ").push_bind(statut);
    }
    if let Some(criticite) = filter.criticite {
        query.push(" and criticite = ").push_bind(criticite);
    }
    scope.push(query, "client_id = ?");
    if let Some(client_id) = filter.client_id {
        query.push(" and client_id = ").push_bind(client_id);
    }
    if let Some(q) = &filter.q {
        push_search(query, "recherche", q);
    }
}

/// The machine `id`, locked until the transaction ends.
pub async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<Equipement> {
    let found = query_equipements!("where id = $1 for update", id).fetch_optional(tx).await?;
    found.ok_or(Error::NotFound(Noun::EQUIPEMENT))
}

pub(super) async fn insert(tx: &mut PgConnection, new: &EquipementFields) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
            insert into equipements
                (nom, type, localisation, frequence_entretien, numero_serie, marque, modele, statut, criticite,
                 description, date_acquisition, client_id)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            returning id
        "#,
        new.nom,
        new.type_,
        new.localisation,
        new.frequence_entretien,
        new.numero_serie,
        new.marque,
        new.modele,
        new.statut as StatutEquipement,
        new.criticite as CriticiteEquipement,
        new.description,
        new.date_acquisition,
        new.client_id,
    )
    .fetch_one(tx)
    .await
}

pub(super) async fn update(
    tx: &mut PgConnection,
    id: i64,
    new: &EquipementFields,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
            update equipements
            set nom = $2, type = $3, localisation = $4, frequence_entretien = $5, numero_serie = $6, marque = $7,
                modele = $8, statut = $9, criticite = $10, description = $11, date_acquisition = $12, client_id = $13
            where id = $1
        "#,
        id,
        new.nom,
        new.type_,
        new.localisation,
        new.frequence_entretien,
        new.numero_serie,
        new.marque,
        new.modele,
        new.statut as StatutEquipement,
        new.criticite as CriticiteEquipement,
        new.description,
        new.date_acquisition,
        new.client_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64) -> Result<()> {
    let done = sqlx::query!("delete from equipements where id = $1", id).execute(tx).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::EQUIPEMENT)) }
}
