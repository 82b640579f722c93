//! SQL over the rows of the business and their jobs, and that of `reconciliations`. Payloads are read as text, as serde writes
//! them: one that is no JSON must not make a query over all of them fail.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};

use super::Kind;
use crate::Result;

/// The result of the last comparison for one kind.
#[derive(Debug, Clone)]
pub struct Finding {
    pub finding: String,
    pub found: i32,
    pub mended: i32,
    pub checked_at: DateTime<Utc>,
}

/// Every finding, by name, including those of zero rows.
pub async fn findings(db: impl PgExecutor<'_>) -> Result<Vec<Finding>> {
    let findings = sqlx::query_as!(
        Finding,
        "select finding, found, mended, checked_at from reconciliations order by finding limit 100"
    );
    Ok(findings.fetch_all(db).await?)
}

pub(super) async fn record(
    tx: &mut PgConnection,
    kind: Kind,
    run: &str,
    found: usize,
    mended: usize,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into reconciliations as r (finding, run, found, mended, checked_at) values ($1, $2, $3, $4, $5)
            on conflict (finding) do update set
                found = excluded.found + case when r.run = excluded.run then r.found else 0 end,
                mended = excluded.mended + case when r.run = excluded.run then r.mended else 0 end,
                run = excluded.run, checked_at = excluded.checked_at
        "#,
        kind.as_str(),
        run,
        i32::try_from(found).unwrap_or(i32::MAX),
        i32::try_from(mended).unwrap_or(i32::MAX),
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Mails that wait, or are being sent, since before `before`, and have no live job.
pub(super) async fn mails_without_job(
    pool: &PgPool,
    before: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    // The key of a job begins with the id of its mail.
    Ok(sqlx::query_scalar!(
        r#"
            with alive as materialized (
                select split_part(key, ':', 1) as mail from queue.everything
                where live and queue in ('emails', 'emails.compte', 'emails.group')
            )
            select id from envois
            where statut in ('en_file', 'en_transmission') and parti_le is null
              and greatest(part_le, transmis_le) < $1 and id > $2
              and id::text not in (select mail from alive where mail is not null)
            order by id limit $3
        "#,
        before,
        after,
        limit,
    )
    .fetch_all(pool)
    .await?)
}

/// Notifications that wait for a mail since before `before`, and are in none that will still be sent.
pub(super) async fn notifications_without_mail(
    pool: &PgPool,
    before: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    // The jobs of the previous release add a notification to a mail when they run.
    Ok(sqlx::query_scalar!(
        r#"
            with alive as materialized (
                select substring(convert_from(payload, 'UTF8') from '"notification_id":([0-9]+)')::bigint as notification
                from queue.everything where live and queue = 'emails.send'
            )
            select n.id from notifications n
            where n.canal = 'email' and n.statut = 'en_file' and n.date_creation < $1 and n.id > $2
              and not exists (
                select from envoi_notifications en join envois e on e.id = en.envoi_id
                where en.notification_id = n.id and e.statut in ('en_file', 'en_transmission') and e.parti_le is null)
              and n.id not in (select notification from alive where notification is not null)
            order by n.id limit $3
        "#,
        before,
        after,
        limit,
    )
    .fetch_all(pool)
    .await?)
}

/// Documents that wait to be processed since before `before`, and have no live job.
pub(super) async fn documents_without_job(
    pool: &PgPool,
    before: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            with alive as materialized (
                select substring(convert_from(payload, 'UTF8') from '"document_id":([0-9]+)')::bigint as document
                from queue.everything where live and queue = 'documents.process'
            )
            select id from documents
            where status in ('pending', 'processing') and date_upload < $1 and id > $2
              and id not in (select document from alive where document is not null)
            order by id limit $3
        "#,
        before,
        after,
        limit,
    )
    .fetch_all(pool)
    .await?)
}

/// The mails and documents that do not exist any more, but are named by live jobs created before `before`.
pub(super) async fn jobs_without_subject(
    pool: &PgPool,
    before: DateTime<Utc>,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            with alive as materialized (
                select queue, convert_from(payload, 'UTF8') as payload from queue.everything
                where live and queue in ('emails', 'emails.compte', 'emails.group', 'documents.process') and created_at < $1
            ),
            named as (
                select queue, case queue
                    when 'documents.process' then substring(payload from '"document_id":([0-9]+)')
                    else substring(payload from '"envoi_id":([0-9]+)') end::bigint as id
                from alive
            )
            select id as "id!" from named
            where id > $2 and case queue
                when 'documents.process' then not exists (select from documents d where d.id = named.id)
                else not exists (select from envois e where e.id = named.id) end
            order by id limit $3
        "#,
        before,
        after,
        limit,
    )
    .fetch_all(pool)
    .await?)
}
