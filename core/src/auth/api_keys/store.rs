//! SQL of `cles_api`, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::types::{ApiKeyOut, Portee};
use crate::{
    Result, Tx,
    users::{Account, UserRole},
};

/// A row of the owner's list.
struct Row {
    id: Uuid,
    nom: String,
    debut: String,
    portees: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Row> for ApiKeyOut {
    fn from(row: Row) -> Self {
        let Row { id, nom, debut, portees, created_at, expires_at, last_used_at } = row;
        Self { id, nom, debut, portees: known(&portees), created_at, expires_at, last_used_at }
    }
}

/// Those that this version knows: one of a later version gives nothing here.
pub(super) fn known(portees: &[String]) -> Vec<Portee> {
    portees.iter().filter_map(|text| Portee::from_text(text)).collect()
}

pub(super) async fn insert(
    tx: &mut Tx<'_>,
    account: &Account,
    key: &ApiKeyOut,
    empreinte: &[u8],
) -> Result<()> {
    let portees: Vec<String> = key.portees.iter().map(ToString::to_string).collect();
    sqlx::query!(
        r#"
            insert into cles_api (id, user_id, token_version, nom, debut, empreinte, portees, cree_le, expire_le)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        key.id,
        account.id,
        account.token_version,
        key.nom,
        key.debut,
        empreinte,
        &portees,
        key.created_at,
        key.expires_at,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Those of user `user_id` that are good at `now`, the newest first.
pub(super) async fn list(
    db: impl PgExecutor<'_>,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<Vec<ApiKeyOut>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
            select k.id, k.nom, k.debut, k.portees, k.cree_le as created_at, k.expire_le as expires_at,
                   k.utilisee_le as last_used_at
            from cles_api k
            join users u on u.id = k.user_id and u.token_version = k.token_version
            where k.user_id = $1 and k.expire_le > $2
            order by k.cree_le desc, k.id
            limit 100
        "#,
        user_id,
        now,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(Into::into).collect())
}

/// Removes key `id` of user `user_id`, and returns its name.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: i64, id: Uuid) -> Result<Option<String>> {
    let gone = sqlx::query_scalar!(
        "delete from cles_api where id = $1 and user_id = $2 returning nom",
        id,
        user_id
    );
    Ok(gone.fetch_optional(&mut **tx).await?)
}

pub(super) async fn delete_all(tx: &mut Tx<'_>, user_id: i64) -> Result<()> {
    sqlx::query!("delete from cles_api where user_id = $1", user_id).execute(&mut **tx).await?;
    Ok(())
}

/// What a request must know of the key that it carries, and of its owner.
pub(super) struct Found {
    pub id: Uuid,
    pub user_id: i64,
    pub portees: Vec<String>,
    pub utilisee_le: Option<DateTime<Utc>>,
    pub role: UserRole,
    pub client_id: Option<i64>,
    pub is_active: bool,
    pub client_actif: bool,
    pub second_facteur: bool,
}

/// The key of this hash that is good at `now`.
pub(super) async fn find(
    pool: &PgPool,
    empreinte: &[u8],
    now: DateTime<Utc>,
) -> Result<Option<Found>> {
    Ok(sqlx::query_as!(
        Found,
        r#"
            select k.id, k.user_id, k.portees, k.utilisee_le, u.role as "role: UserRole", u.client_id, u.is_active,
                   coalesce(c.is_active, true) as "client_actif!", f.confirme_le is not null as "second_facteur!"
            from cles_api k
            join users u on u.id = k.user_id and u.token_version = k.token_version
            left join clients c on c.id = u.client_id
            left join seconds_facteurs f on f.user_id = u.id
            where k.empreinte = $1 and k.expire_le > $2
        "#,
        empreinte,
        now,
    )
    .fetch_optional(pool)
    .await?)
}

/// Records a use at `now`; `false` if the key is gone.
pub(super) async fn touch(pool: &PgPool, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let done = sqlx::query!(
        "update cles_api set utilisee_le = greatest(utilisee_le, $2) where id = $1",
        id,
        now
    );
    Ok(done.execute(pool).await?.rows_affected() == 1)
}

/// Removes up to `limit` keys that ended before `before`.
pub(super) async fn purge(db: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from cles_api
            where id in (select id from cles_api where expire_le < $1 order by expire_le limit $2)
        "#,
        before,
        limit,
    );
    Ok(gone.execute(db).await?.rows_affected())
}
