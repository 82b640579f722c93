//! The steps of the job that makes a file. Each is for one turn of a report, and changes nothing once that turn is over: it was
//! cancelled, removed, or asked for again.
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use super::{
    FormatRapport, KEPT, Motif, Reprise, StatutRapport, TypeRapport, jobs::MakeReport,
    listes::Reader, remove_files, store,
};
use crate::{Lang, Result, Tx, auth::ensure_may_work, users};

/// A report that is to be made.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub job: MakeReport,
    pub user_id: i64,
    pub type_: TypeRapport,
    pub format: FormatRapport,
    pub filtres: serde_json::Map<String, Value>,
    pub langue: Lang,
    pub titre: String,
    /// When the attempt began that wrote its first row.
    pub debut_le: DateTime<Utc>,
    /// What earlier attempts have made.
    pub reprise: Option<Reprise>,
    pub lignes_prevues: Option<i64>,
}

/// Begins, or goes on; `None` if nobody waits for this turn.
pub async fn begin(
    tx: &mut Tx<'_>,
    job: &MakeReport,
    now: DateTime<Utc>,
) -> Result<Option<Wanted>> {
    let row = sqlx::query!(
        r#"
            update rapports set statut = 'generating', debut_le = case when reprise is null then $3 else debut_le end
            where id = $1 and tour = $2 and statut in ('pending', 'generating')
            returning user_id, type as "type_: TypeRapport", format as "format: FormatRapport", filtres, langue as "langue: Lang",
                      titre, debut_le as "debut_le!", reprise as "reprise: Json<Reprise>", lignes_prevues
        "#,
        job.id,
        job.tour,
        now,
    );
    Ok(row.fetch_optional(&mut **tx).await?.map(|row| Wanted {
        job: job.clone(),
        user_id: row.user_id,
        type_: row.type_,
        format: row.format,
        filtres: match row.filtres {
            Value::Object(filtres) => filtres,
            _ => serde_json::Map::new(),
        },
        langue: row.langue,
        titre: row.titre,
        debut_le: row.debut_le,
        reprise: row.reprise.map(|Json(reprise)| reprise),
        lignes_prevues: row.lignes_prevues,
    }))
}

/// Its owner as a reader; `None` if they may not work any more.
pub async fn reader(pool: &sqlx::PgPool, user_id: i64) -> Result<Option<Reader>> {
    let account = users::find_account(pool, user_id).await?;
    Ok(account.filter(|account| ensure_may_work(account).is_ok()).as_ref().map(Reader::from))
}

/// Whether somebody still waits for it.
pub async fn is_wanted(pool: &sqlx::PgPool, job: &MakeReport) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from rapports where id = $1 and tour = $2 and statut = 'generating') as "it!""#,
        job.id,
        job.tour,
    );
    Ok(found.fetch_one(pool).await?)
}

/// How far it is: `lignes` of `prevues` rows are written. `false` if nobody waits for it any more.
pub async fn advance(
    tx: &mut Tx<'_>,
    job: &MakeReport,
    lignes: i64,
    prevues: Option<i64>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update rapports set lignes = $3, lignes_prevues = coalesce($4, lignes_prevues)
            where id = $1 and tour = $2 and statut = 'generating'
        "#,
        job.id,
        job.tour,
        lignes,
        prevues,
    );
    Ok(done.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Keeps `reprise`, with which the next attempt goes on; `None`: it begins again. `false` if nobody waits for it any more.
pub async fn keep(tx: &mut Tx<'_>, job: &MakeReport, reprise: Option<&Reprise>) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update rapports set reprise = $3, lignes = $4
            where id = $1 and tour = $2 and statut = 'generating'
        "#,
        job.id,
        job.tour,
        reprise.map(Json) as Option<Json<&Reprise>>,
        reprise.map_or(0, |reprise| reprise.lignes),
    );
    Ok(done.execute(&mut **tx).await?.rows_affected() == 1)
}

/// A file that was written to storage.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    pub fichier: Uuid,
    /// Bytes.
    pub taille: u64,
    pub lignes: i64,
}

/// It has its file; the parts of which that was made are removed. `false` if nobody waits for it any more.
pub async fn finish(
    tx: &mut Tx<'_>,
    wanted: &Wanted,
    made: &Made,
    now: DateTime<Utc>,
) -> Result<bool> {
    let parts = store::parts(tx, wanted.job.id).await?;
    let done = sqlx::query!(
        r#"
            update rapports
            set statut = 'ready', fichier = $3, taille = $4, lignes = $5, lignes_prevues = $5, fini_le = $6, expire_le = $7,
                reprise = null
            where id = $1 and tour = $2 and statut = 'generating'
        "#,
        wanted.job.id,
        wanted.job.tour,
        made.fichier,
        i64::try_from(made.taille).unwrap_or(i64::MAX),
        made.lignes,
        now,
        now + KEPT,
    );
    if done.execute(&mut **tx).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let parts = parts.into_iter().filter(|part| *part != made.fichier);
    remove_files(tx, parts.map(|part| (part, wanted.format)).collect()).await?;
    Ok(true)
}

/// It cannot be made, for `motif`.
pub async fn fail(
    tx: &mut Tx<'_>,
    job: &MakeReport,
    motif: Motif,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(rapport) = store::find_for_update(tx, job.id).await? else { return Ok(()) };
    if rapport.tour != job.tour || rapport.statut != StatutRapport::Generating {
        return Ok(());
    }
    let parts = store::parts(tx, job.id).await?;
    remove_files(tx, parts.into_iter().map(|part| (part, rapport.format)).collect()).await?;
    store::end(tx, job.id, StatutRapport::Failed, Some(motif), now).await
}
