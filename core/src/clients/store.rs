//! SQL of the `clients` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{Client, ClientFields, ClientFilter, NiveauService, SORTABLE, TypeClient};
use crate::{
    Error, Noun, Result, Tx,
    page::{self, Listed, push_search},
};

macro_rules! query_clients {
    ($rest:literal, $argument:expr) => {
        sqlx::query_as!(
            Client,
            r#"
                select id, nom_entreprise, type_client as "type_client: TypeClient", ice, email, telephone, adresse, ville,
                       niveau_service as "niveau_service: NiveauService", is_active, date_creation, version
                from clients
            "# + $rest,
            $argument,
        )
    };
}

pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Client> {
    let found = query_clients!("where id = $1", id).fetch_optional(db).await?;
    found.ok_or(Error::NotFound(Noun::CLIENT))
}

/// The client `id`, locked until the transaction ends.
pub async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<Client> {
    let found = query_clients!("where id = $1 for update", id).fetch_optional(tx).await?;
    found.ok_or(Error::NotFound(Noun::CLIENT))
}

pub async fn list(pool: &PgPool, filter: &ClientFilter) -> Result<Listed<Client>> {
    page::list(pool, "clients", SORTABLE, &filter.page, |query| push_where(query, filter)).await
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &ClientFilter) {
    query.push(" where true");
    if let Some(type_client) = filter.type_client {
        query.push(" and type_client = ").push_bind(type_client);
    }
    if let Some(ville) = &filter.ville {
        query
            .push(" and recherche(ville) = recherche(")
            .push_bind(ville.trim().to_owned())
            .push(")");
    }
    if let Some(niveau_service) = filter.niveau_service {
        query.push(" and niveau_service = ").push_bind(niveau_service);
    }
    if let Some(is_active) = filter.is_active {
        query.push(" and is_active = ").push_bind(is_active);
    }
    if let Some(q) = &filter.q {
        const TEXTE: &str =
            "recherche(concat_ws(' ', nom_entreprise, ice, email, telephone, ville))";
        push_search(query, TEXTE, q);
    }
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &ClientFields,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
            insert into clients
                (nom_entreprise, type_client, ice, email, telephone, adresse, ville, niveau_service, is_active, date_creation)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            returning id
        "#,
        new.nom_entreprise,
        new.type_client as TypeClient,
        new.ice,
        new.email,
        new.telephone,
        new.adresse,
        new.ville,
        new.niveau_service as NiveauService,
        new.is_active,
        now,
    )
    .fetch_one(tx)
    .await
}

pub(super) async fn update(tx: &mut Tx<'_>, id: i64, new: &ClientFields) -> sqlx::Result<()> {
    // Its users may not work any more.
    if !new.is_active {
        tx.end_access();
    }
    sqlx::query!(
        r#"
            update clients
            set nom_entreprise = $2, type_client = $3, ice = $4, email = $5, telephone = $6, adresse = $7, ville = $8,
                niveau_service = $9, is_active = $10
            where id = $1
        "#,
        id,
        new.nom_entreprise,
        new.type_client as TypeClient,
        new.ice,
        new.email,
        new.telephone,
        new.adresse,
        new.ville,
        new.niveau_service as NiveauService,
        new.is_active,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64) -> Result<()> {
    let done = sqlx::query!("delete from clients where id = $1", id).execute(tx).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::CLIENT)) }
}
