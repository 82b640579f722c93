//! SQL of the `documents` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Document, NewDocument, Prepared, SORTABLE, StatutDocument};
use crate::{
    Error, Noun, Result,
    page::{self, Listed, Page},
    users::UserRole,
};

/// `query_as!` of documents, with the name and role of the user who uploaded each.
macro_rules! query_documents {
    ($rest:literal, $argument:expr) => {
        sqlx::query_as!(
            Document,
            r#"
                select d.id, fichier, extension, filename, description, intervention_id, date_upload,
                       status as "status: StatutDocument", content_type, size_bytes, sha256, width, height, pages, has_previews,
                       error, d.version, depose_par, u.full_name as "depose_par_nom?", u.role as "depose_par_role?: UserRole"
                from documents d left join users u on u.id = d.depose_par
            "# + $rest,
            $argument,
        )
    };
}

pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<Document> {
    let found = query_documents!("where d.id = $1", id).fetch_optional(db).await?;
    found.ok_or(Error::NotFound(Noun::DOCUMENT))
}

/// The document whose files are named after `fichier`.
pub async fn find_by_fichier(db: impl PgExecutor<'_>, fichier: Uuid) -> Result<Document> {
    let found = query_documents!("where fichier = $1", fichier).fetch_optional(db).await?;
    found.ok_or(Error::NotFound(Noun::FICHIER))
}

/// The document `id`, locked until the transaction ends.
pub async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<Document> {
    // A document never changes to another uploader, so that one statement can lock it and join the user.
    let found = query_documents!("where d.id = $1 for update of d", id).fetch_optional(tx).await?;
    found.ok_or(Error::NotFound(Noun::DOCUMENT))
}

pub(super) async fn exists(db: impl PgExecutor<'_>, id: i64) -> Result<bool> {
    let found =
        sqlx::query_scalar!(r#"select exists (select from documents where id = $1) as "it!""#, id);
    Ok(found.fetch_one(db).await?)
}

pub async fn list(pool: &PgPool, page: &Page) -> Result<Listed<Document>> {
    list_where(pool, page, |query| {
        query.push(" where true");
    })
    .await
}

pub async fn list_of_intervention(
    pool: &PgPool,
    intervention_id: i64,
    page: &Page,
) -> Result<Listed<Document>> {
    list_where(pool, page, |query| {
        query.push(" where intervention_id = ").push_bind(intervention_id);
    })
    .await
}

/// The documents of all interventions on a machine.
pub async fn list_of_equipement(
    pool: &PgPool,
    equipement_id: i64,
    page: &Page,
) -> Result<Listed<Document>> {
    list_where(pool, page, |query| {
        query
            .push(" where intervention_id in (select id from interventions where equipement_id = ");
        query.push_bind(equipement_id).push(")");
    })
    .await
}

async fn list_where(
    pool: &PgPool,
    page: &Page,
    push_where: impl Fn(&mut QueryBuilder<Postgres>),
) -> Result<Listed<Document>> {
    let by = "left join users u on u.id = page.depose_par";
    page::list_joined(pool, "documents", by, SORTABLE, page, push_where).await
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &NewDocument,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
            insert into documents
                (fichier, extension, filename, intervention_id, depose_par, date_upload, content_type, size_bytes, sha256,
                 description)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            returning id
        "#,
        new.fichier,
        new.kind.extension(),
        new.filename,
        new.intervention_id,
        new.depose_par,
        now,
        new.kind.content_type(),
        new.size_bytes,
        new.sha256,
        new.description,
    )
    .fetch_one(tx)
    .await
}

pub(super) async fn set_description(
    tx: &mut PgConnection,
    id: i64,
    description: Option<&str>,
) -> Result<()> {
    sqlx::query!("update documents set description = $2 where id = $1", id, description)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_pending(tx: &mut PgConnection, id: i64) -> Result<()> {
    let done =
        sqlx::query!("update documents set status = 'pending', error = null where id = $1", id)
            .execute(tx)
            .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::DOCUMENT)) }
}

pub(super) async fn set_processing(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("update documents set status = 'processing' where id = $1", id)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn set_ready(tx: &mut PgConnection, id: i64, prepared: &Prepared) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update documents
            set status = 'ready', error = null, width = $2, height = $3, pages = $4, has_previews = $5
            where id = $1
        "#,
        id,
        prepared.width,
        prepared.height,
        prepared.pages,
        prepared.has_previews,
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn set_failed(tx: &mut PgConnection, id: i64, reason: &str) -> Result<()> {
    sqlx::query!(
        "update documents set status = 'failed', error = $2 where id = $1 and status <> 'ready'",
        id,
        reason,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Undoes [`set_failed`]; does nothing if the document is gone, or is not failed any more.
pub(super) async fn set_pending_again(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!(
        "update documents set status = 'pending', error = null where id = $1 and status = 'failed'",
        id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64) -> Result<Document> {
    let document = find_for_update(tx, id).await?;
    sqlx::query!("delete from documents where id = $1", id).execute(tx).await?;
    Ok(document)
}

/// Which of these stored names belong to a document.
pub(super) async fn known_files(db: impl PgExecutor<'_>, fichiers: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!("select fichier from documents where fichier = any($1)", fichiers)
        .fetch_all(db)
        .await?)
}
