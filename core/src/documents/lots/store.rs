//! SQL of the tables `lots` and `lots_documents`, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::{Error, Lang, Noun, Result, Tx};

/// A lot, with the state of its files.
#[derive(Debug, Clone)]
pub struct Lot {
    pub id: i64,
    pub intervention_id: i64,
    pub ouvert_par: Option<i64>,
    pub ouvert_le: DateTime<Utc>,
    pub ferme_le: Option<DateTime<Utc>>,
    /// The batch of the queue that waits for its documents.
    pub(super) attente: String,
    pub prets: i64,
    pub refuses: i64,
    pub en_cours: i64,
    /// Whether all of its files are pictures; false without files.
    pub images: bool,
}

/// Lot `id`.
pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Lot> {
    sqlx::query_as!(
        Lot,
        r#"
            select l.id, l.intervention_id, l.ouvert_par, l.ouvert_le, l.ferme_le, l.attente,
                d.prets as "prets!", d.refuses as "refuses!", d.en_cours as "en_cours!", d.images as "images!"
            from lots l
            cross join lateral (
                select count(*) filter (where d.status = 'ready') as prets,
                    count(*) filter (where d.status = 'failed') as refuses,
                    count(*) filter (where d.status in ('pending', 'processing')) as en_cours,
                    coalesce(bool_and(d.content_type like 'image/%'), false) as images
                from lots_documents ld join documents d on d.id = ld.document_id
                where ld.lot_id = l.id
            ) as d
            where l.id = $1
        "#,
        id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::LOT))
}

/// Reserves the id of a new lot.
pub(super) async fn next_id(tx: &mut PgConnection) -> Result<i64> {
    let id =
        sqlx::query_scalar!(r#"select nextval(pg_get_serial_sequence('lots', 'id')) as "id!""#);
    Ok(id.fetch_one(tx).await?)
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    id: i64,
    intervention_id: i64,
    by: i64,
    attente: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
            insert into lots (id, intervention_id, ouvert_par, ouvert_le, attente)
            overriding system value values ($1, $2, $3, $4, $5)
        "#,
        id,
        intervention_id,
        by,
        now,
        attente,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks lot `id` until the transaction ends.
pub(super) async fn lock(tx: &mut PgConnection, id: i64) -> Result<()> {
    let locked = sqlx::query_scalar!("select id from lots where id = $1 for update", id);
    locked.fetch_optional(tx).await?.map(drop).ok_or(Error::NotFound(Noun::LOT))
}

pub(super) async fn add(tx: &mut PgConnection, id: i64, document_id: i64) -> Result<()> {
    sqlx::query!(
        "insert into lots_documents (lot_id, document_id) values ($1, $2)",
        id,
        document_id
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn close(tx: &mut PgConnection, id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update lots set ferme_le = $2 where id = $1", id, now).execute(tx).await?;
    Ok(())
}

/// The language of a user.
pub(super) async fn langue(tx: &mut PgConnection, user_id: i64) -> Result<Lang> {
    let langue =
        sqlx::query_scalar!(r#"select langue as "langue: Lang" from users where id = $1"#, user_id);
    Ok(langue.fetch_one(tx).await?)
}

/// Removes up to `limit` lots opened before `before`; returns how many. The files stay.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    let forgotten = sqlx::query!(
        "delete from lots where id in (select id from lots where ouvert_le < $1 limit $2)",
        before,
        limit,
    );
    let count = forgotten.execute(&mut **tx).await?.rows_affected();
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
