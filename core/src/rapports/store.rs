//! SQL of `rapports`, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool, types::Json};
use uuid::Uuid;

use super::{
    FormatRapport, Motif, Rapport, RapportFilter, Reprise, StatutRapport, TypeRapport,
    types::SORTABLE,
};
use crate::{
    Lang, Result, Tx,
    page::{self, Listed},
};

/// The whole row, for `query_as!`: `$condition` is what follows `from rapports`.
macro_rules! query_rapports {
    ($condition:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Rapport,
            r#"
                select id, user_id, type as "type_: TypeRapport", format as "format: FormatRapport", filtres,
                       langue as "langue: Lang", titre, statut as "statut: StatutRapport", tour, cree_le, debut_le, fini_le,
                       expire_le, lignes, lignes_prevues, fichier, taille, motif as "motif: Motif"
                from rapports
            "# + $condition,
            $($argument),+
        )
    };
}

/// What is asked for, once it was checked.
pub(super) struct New<'a> {
    pub id: Uuid,
    pub user_id: i64,
    pub type_: TypeRapport,
    pub format: FormatRapport,
    pub filtres: &'a serde_json::Value,
    pub langue: Lang,
    pub titre: &'a str,
    pub empreinte: &'a [u8],
    /// Of the data, as they are now.
    pub version: &'a str,
}

pub(super) async fn insert(tx: &mut Tx<'_>, new: &New<'_>, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"
            insert into rapports (id, user_id, type, format, filtres, langue, titre, empreinte, version, cree_le)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        "#,
        new.id,
        new.user_id,
        new.type_ as TypeRapport,
        new.format as FormatRapport,
        new.filtres,
        new.langue as Lang,
        new.titre,
        new.empreinte,
        new.version,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// One that user `user_id` has asked for since `since` in the same words, and that was not in vain; and the version of the data then.
pub(super) async fn find_same(
    tx: &mut Tx<'_>,
    user_id: i64,
    empreinte: &[u8],
    since: DateTime<Utc>,
) -> Result<Option<(Rapport, String)>> {
    let found = query_rapports!(
        r#"
            where user_id = $1 and empreinte = $2 and cree_le > $3 and statut in ('pending', 'generating', 'ready')
            order by id desc
            limit 1
        "#,
        user_id,
        empreinte,
        since,
    );
    let Some(found) = found.fetch_optional(&mut **tx).await? else { return Ok(None) };
    let version = sqlx::query_scalar!("select version from rapports where id = $1", found.id);
    Ok(Some((found, version.fetch_one(&mut **tx).await?)))
}

/// How many of user `user_id` are not made yet, and how many have a file.
pub(super) async fn count(tx: &mut Tx<'_>, user_id: i64) -> Result<(i64, i64)> {
    let counts = sqlx::query!(
        r#"
            select count(*) filter (where statut in ('pending', 'generating')) as "open!",
                   count(*) filter (where statut = 'ready') as "ready!"
            from rapports where user_id = $1
        "#,
        user_id,
    );
    let counts = counts.fetch_one(&mut **tx).await?;
    Ok((counts.open, counts.ready))
}

pub(super) async fn list(pool: &PgPool, filter: &RapportFilter) -> Result<Listed<Rapport>> {
    page::list(pool, "rapports", SORTABLE, &filter.page, |query| {
        query.push(" where true");
        if let Some(user_id) = filter.user_id {
            query.push(" and user_id = ").push_bind(user_id);
        }
        if let Some(type_) = filter.type_ {
            query.push(" and type = ").push_bind(type_);
        }
        if let Some(statut) = filter.statut {
            query.push(" and statut = ").push_bind(statut);
        }
    })
    .await
}

pub(super) async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Rapport>> {
    Ok(query_rapports!("where id = $1", id).fetch_optional(db).await?)
}

/// The same, locked until the transaction ends.
pub(super) async fn find_for_update(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<Rapport>> {
    Ok(query_rapports!("where id = $1 for update", id).fetch_optional(&mut **tx).await?)
}

/// The parts of the file that is being made.
pub(super) async fn parts(tx: &mut Tx<'_>, id: Uuid) -> Result<Vec<Uuid>> {
    let reprise = sqlx::query_scalar!(
        r#"select reprise as "reprise: Json<Reprise>" from rapports where id = $1"#,
        id
    );
    let reprise = reprise.fetch_optional(&mut **tx).await?.flatten();
    Ok(reprise.map(|Json(reprise)| reprise.parts).unwrap_or_default())
}

/// Waits for the next turn, with nothing of the one before.
pub(super) async fn restart(tx: &mut Tx<'_>, id: Uuid) -> Result<()> {
    sqlx::query!(
        r#"
            update rapports
            set statut = 'pending', tour = tour + 1, debut_le = null, fini_le = null, expire_le = null, lignes = 0,
                lignes_prevues = null, reprise = null, fichier = null, taille = null, motif = null
            where id = $1
        "#,
        id,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends it without a file.
pub(super) async fn end(
    tx: &mut Tx<'_>,
    id: Uuid,
    statut: StatutRapport,
    motif: Option<Motif>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            update rapports set statut = $2, motif = $3, fini_le = $4, reprise = null, fichier = null, taille = null
            where id = $1
        "#,
        id,
        statut as StatutRapport,
        motif as Option<Motif>,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Removes it, and its addresses.
pub(super) async fn delete(tx: &mut Tx<'_>, id: Uuid) -> Result<()> {
    sqlx::query!("delete from rapports where id = $1", id).execute(&mut **tx).await?;
    Ok(())
}

/// Removes all of user `user_id`; returns their stored files.
pub(super) async fn delete_all(
    tx: &mut Tx<'_>,
    user_id: i64,
) -> Result<Vec<(Uuid, FormatRapport)>> {
    let gone = sqlx::query!(
        r#"
            delete from rapports where user_id = $1
            returning format as "format: FormatRapport", fichier, reprise as "reprise: Json<Reprise>"
        "#,
        user_id,
    );
    let gone = gone.fetch_all(&mut **tx).await?;
    let files = gone.into_iter().flat_map(|row| {
        let parts = row.reprise.map(|Json(reprise)| reprise.parts).unwrap_or_default();
        row.fichier.into_iter().chain(parts).map(move |file| (file, row.format))
    });
    Ok(files.collect())
}

/// Its job was given up: it has failed, but keeps what was made so far.
pub(super) async fn give_up(
    tx: &mut Tx<'_>,
    id: Uuid,
    tour: i32,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            update rapports set statut = 'failed', motif = 'abandon', fini_le = $3
            where id = $1 and tour = $2 and statut in ('pending', 'generating')
        "#,
        id,
        tour,
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Its job is run after all.
pub(super) async fn revive(tx: &mut Tx<'_>, id: Uuid, tour: i32) -> Result<()> {
    sqlx::query!(
        r#"
            update rapports set statut = 'pending', motif = null, fini_le = null
            where id = $1 and tour = $2 and statut = 'failed' and motif = 'abandon'
        "#,
        id,
        tour,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Marks up to `limit` files whose time is over as expired, and returns them.
pub(super) async fn expire(
    tx: &mut Tx<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(Uuid, FormatRapport)>> {
    let gone = sqlx::query!(
        r#"
            with finis as (
                select id, fichier, format from rapports
                where statut = 'ready' and expire_le <= $1 order by expire_le limit $2 for update skip locked)
            update rapports r set statut = 'expired', fichier = null
            from finis where r.id = finis.id
            returning finis.fichier, finis.format as "format: FormatRapport"
        "#,
        now,
        limit,
    );
    let gone = gone.fetch_all(&mut **tx).await?;
    Ok(gone.into_iter().filter_map(|row| Some((row.fichier?, row.format))).collect())
}

/// Takes what was made so far from up to `limit` that were given up before `time`, and returns it.
pub(super) async fn drop_parts(
    tx: &mut Tx<'_>,
    time: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(Uuid, FormatRapport)>> {
    let gone = sqlx::query!(
        r#"
            with finis as (
                select id, reprise, format from rapports
                where reprise is not null and fini_le < $1 order by fini_le limit $2 for update skip locked)
            update rapports r set reprise = null
            from finis where r.id = finis.id
            returning finis.reprise as "reprise: Json<Reprise>", finis.format as "format: FormatRapport"
        "#,
        time,
        limit,
    );
    let gone = gone.fetch_all(&mut **tx).await?;
    let parts = gone.into_iter().flat_map(|row| {
        let parts = row.reprise.map(|Json(reprise)| reprise.parts).unwrap_or_default();
        parts.into_iter().map(move |part| (part, row.format))
    });
    Ok(parts.collect())
}

/// Removes up to `limit` that were asked for before `time`, have no file, and wait for none.
pub(super) async fn forget(tx: &mut Tx<'_>, time: DateTime<Utc>, limit: i64) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from rapports where id in (
                select id from rapports
                where cree_le < $1 and statut in ('failed', 'expired', 'cancelled') and reprise is null
                order by cree_le limit $2)
        "#,
        time,
        limit,
    );
    Ok(gone.execute(&mut **tx).await?.rows_affected())
}

/// Of the stored files `files`, those that a report has, or has parts in.
pub(super) async fn known(pool: &PgPool, files: &[Uuid]) -> Result<Vec<Uuid>> {
    let known = sqlx::query_scalar!(
        r#"
            select fichier as "fichier!" from rapports where fichier = any($1)
            union all
            select part::uuid from rapports, jsonb_array_elements_text(reprise -> 'parts') as part
            where reprise is not null and part::uuid = any($1)
        "#,
        files,
    );
    Ok(known.fetch_all(pool).await?)
}
