//! The queries of a digest.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::Section;
use crate::{Result, interventions::PrioriteIntervention, planning::FrequencePlanning};

/// An intervention in a digest.
#[derive(Debug, Clone)]
pub struct Ligne {
    pub id: i64,
    pub titre: String,
    pub equipement: String,
    pub localisation: String,
    pub priorite: PrioriteIntervention,
    pub date_limite: Option<DateTime<Utc>>,
    pub technicien: Option<String>,
    total: i64,
}

/// A visit in a digest.
#[derive(Debug, Clone)]
pub struct Visite {
    pub planning_id: i64,
    pub frequence: FrequencePlanning,
    pub equipement: String,
    pub localisation: String,
    pub date: DateTime<Utc>,
    total: i64,
}

pub(super) async fn count_open(db: &mut PgConnection) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"
            select count(*) as "count!" from interventions
            where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')
        "#
    )
    .fetch_one(db)
    .await?)
}

/// Open interventions past their deadline at `now`, the earliest deadline first.
pub(super) async fn late(
    db: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Section<Ligne>> {
    between(db, None, now, limit).await
}

/// Open interventions with a deadline in `from..to`.
pub(super) async fn due(
    db: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Section<Ligne>> {
    between(db, Some(from), to, limit).await
}

async fn between(
    db: &mut PgConnection,
    from: Option<DateTime<Utc>>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Section<Ligne>> {
    let lignes = sqlx::query_as!(
        Ligne,
        r#"
            select i.id, i.titre, e.nom as equipement, e.localisation, i.priorite as "priorite: PrioriteIntervention",
                   i.date_limite, u.full_name as "technicien?", count(*) over () as "total!"
            from interventions i
            join equipements e on e.id = i.equipement_id
            left join techniciens t on t.id = i.technicien_id
            left join users u on u.id = t.user_id
            where i.statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and i.date_limite < $2
              and ($1::timestamptz is null or i.date_limite >= $1)
            order by i.date_limite, i.id limit $3
        "#,
        from,
        to,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(Section::of(lignes, |ligne| ligne.total))
}

/// Open interventions without a technicien: the urgent ones first, then by priority, then those that have waited longest.
pub(super) async fn unassigned(db: &mut PgConnection, limit: i64) -> Result<Section<Ligne>> {
    let lignes = sqlx::query_as!(
        Ligne,
        r#"
            select i.id, i.titre, e.nom as equipement, e.localisation, i.priorite as "priorite: PrioriteIntervention",
                   i.date_limite, null::text as technicien, count(*) over () as "total!"
            from interventions i join equipements e on e.id = i.equipement_id
            where i.technicien_id is null and i.statut in ('ouverte', 'affectee', 'en_cours', 'en_attente')
            order by i.urgence desc, array_position(array['urgente', 'haute', 'normale', 'basse'], i.priorite),
                i.date_creation, i.id
            limit $1
        "#,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(Section::of(lignes, |ligne| ligne.total))
}

/// The next visit of each active planning, if it is in `from..to`.
pub(super) async fn visites(
    db: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Section<Visite>> {
    let lignes = sqlx::query_as!(
        Visite,
        r#"
            select p.id as planning_id, p.frequence as "frequence: FrequencePlanning", e.nom as equipement, e.localisation,
                   p.prochaine_date as date, count(*) over () as "total!"
            from plannings p join equipements e on e.id = p.equipement_id
            where p.statut in ('actif', 'en_retard') and e.statut <> 'retire'
              and p.prochaine_date >= $1 and p.prochaine_date < $2
            order by p.prochaine_date, p.id limit $3
        "#,
        from,
        to,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(Section::of(lignes, |ligne| ligne.total))
}

/// The ids of the recipients: the responsables (where there is none, the admins), and admins who want no other mail; without
/// those who refuse digests, and those who are invited and have no password yet.
pub(super) async fn readers(db: impl PgExecutor<'_>) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select u.id from users u left join preferences p on p.user_id = u.id
            where u.is_active and u.password_hash <> '' and not coalesce('digest' = any (p.emails_refuses), false)
              and (u.role = 'responsable'
                   or u.role = 'admin' and (coalesce(p.digest_seulement, false)
                       or not exists (select from users where is_active and role = 'responsable' and password_hash <> '')))
            order by u.id
        "#
    )
    .fetch_all(db)
    .await?)
}
