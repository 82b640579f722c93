//! SQL of `exports_personnels`, and nothing else.
use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::{ExportOut, StatutExport, key};
use crate::{Result, Tx};

/// A file that was written to storage.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    pub user_id: i64,
    pub fichier: Uuid,
    /// Bytes.
    pub taille: u64,
}

pub(super) async fn insert(
    tx: &mut Tx<'_>,
    user_id: i64,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into exports_personnels (user_id, id, demande_le) values ($1, $2, $3)",
        user_id,
        id,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn find(
    db: impl PgExecutor<'_>,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<Option<ExportOut>> {
    Ok(sqlx::query_as!(
        ExportOut,
        r#"
            select statut as "statut: StatutExport", demande_le as created_at, pret_le as ready_at, expire_le as expires_at,
                   taille as size
            from exports_personnels
            where user_id = $1 and (expire_le is null or expire_le > $2)
        "#,
        user_id,
        now,
    )
    .fetch_optional(db)
    .await?)
}

pub(super) async fn ready_file(
    pool: &PgPool,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    let found = sqlx::query_scalar!(
        r#"
            select fichier as "fichier!" from exports_personnels
            where user_id = $1 and statut = 'ready' and expire_le > $2 and fichier is not null
        "#,
        user_id,
        now,
    );
    Ok(found.fetch_optional(pool).await?)
}

pub(super) async fn is_wanted(pool: &PgPool, user_id: i64, id: Uuid) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
            select exists (
                select from exports_personnels where user_id = $1 and id = $2 and statut = 'pending') as "it!"
        "#,
        user_id,
        id,
    );
    Ok(found.fetch_one(pool).await?)
}

/// Records that request `id` has its file; `false` if it waits for none.
pub(super) async fn save(
    tx: &mut Tx<'_>,
    id: Uuid,
    made: &Made,
    now: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update exports_personnels
            set statut = 'ready', fichier = $3, taille = $4, pret_le = $5, expire_le = $6
            where id = $1 and user_id = $2 and statut = 'pending'
        "#,
        id,
        made.user_id,
        made.fichier,
        i64::try_from(made.taille).unwrap_or(i64::MAX),
        now,
        end,
    );
    Ok(done.execute(&mut **tx).await?.rows_affected() == 1)
}

/// The job of request `id` was given up; or it is to be done after all.
pub(super) async fn set_failed(tx: &mut Tx<'_>, id: Uuid, failed: bool) -> Result<()> {
    sqlx::query!(
        r#"
            update exports_personnels set statut = case when $2 then 'failed' else 'pending' end
            where id = $1 and statut = case when $2 then 'pending' else 'failed' end
        "#,
        id,
        failed,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Removes the row of user `user_id`, and returns its file.
pub(super) async fn delete(tx: &mut Tx<'_>, user_id: i64) -> Result<Vec<Uuid>> {
    let gone = sqlx::query_scalar!(
        "delete from exports_personnels where user_id = $1 returning fichier",
        user_id
    );
    Ok(gone.fetch_all(&mut **tx).await?.into_iter().flatten().collect())
}

/// Removes up to `limit` rows whose file is kept no longer, and returns the files.
pub(super) async fn delete_ended(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Uuid>> {
    let gone = sqlx::query_scalar!(
        r#"
            delete from exports_personnels
            where user_id in (
                select user_id from exports_personnels where expire_le <= $1 order by expire_le limit $2)
            returning fichier
        "#,
        now,
        limit,
    );
    Ok(gone.fetch_all(&mut **tx).await?.into_iter().flatten().collect())
}

/// Of the storage keys `keys`, those of files that no row names: an attempt that was interrupted has left them.
pub async fn without_row(pool: &PgPool, keys: &[String]) -> Result<Vec<String>> {
    let fichier = |key: &String| {
        let name = key.strip_prefix(super::FOLDER)?.strip_suffix(".zip")?;
        Uuid::try_parse(name).ok()
    };
    let named: Vec<_> = keys.iter().filter_map(fichier).collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let known = sqlx::query_scalar!(
        r#"select fichier as "fichier!" from exports_personnels where fichier = any($1)"#,
        &named,
    );
    let known: HashSet<_> = known.fetch_all(pool).await?.into_iter().collect();
    Ok(named.into_iter().filter(|name| !known.contains(name)).map(key).collect())
}
