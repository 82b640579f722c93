//! SQL of what there is about a person.
use serde_json::Value;
use sqlx::PgPool;

use super::{Batch, Source};
use crate::Result;

/// The rows of one statement.
const ROWS: i64 = 500;
/// The ids that one statement looks through, in tables that have no index by person: it must not take long.
const WINDOW: i64 = 50_000;

/// All rows of a statement, for user `$1`: few.
macro_rules! all_rows {
    ($sql:literal, $pool:expr, $user:expr) => {
        sqlx::query_scalar!($sql, $user).fetch_all($pool).await?
    };
}

/// `Batch` of a statement that returns `id` and `row`, for user `$1`, after id `$2`, at most `$3` rows; or, with `window`, of one that
/// returns rows with ids after `$2` and up to `$3`.
macro_rules! some_rows {
    ($sql:literal, $pool:expr, $user:expr, $after:expr) => {{
        let found = sqlx::query!($sql, $user, $after, ROWS).fetch_all($pool).await?;
        let is_full = i64::try_from(found.len()).is_ok_and(|n| n == ROWS);
        let next = found.last().map(|row| row.id).filter(|_| is_full);
        Ok(Batch { rows: found.into_iter().map(|row| row.row).collect(), next })
    }};
    (window $sql:literal, $last:literal, $pool:expr, $user:expr, $after:expr) => {{
        let last = sqlx::query_scalar!($last).fetch_one($pool).await?;
        let end = $after.saturating_add(WINDOW);
        let rows = sqlx::query_scalar!($sql, $user, $after, end).fetch_all($pool).await?;
        Ok(Batch { rows, next: (end < last).then_some(end) })
    }};
}

/// The rows about the account of user `user_id` and how they sign in; `None` for another source.
#[expect(clippy::too_many_lines, reason = "one statement for each source, and nothing else")]
pub(super) async fn of_account(
    pool: &PgPool,
    source: Source,
    user_id: i64,
) -> Result<Option<Vec<Value>>> {
    Ok(Some(match source {
        Source::Compte => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select u.id, u.username, u.full_name, u.email, u.role, u.langue, u.is_active, c.nom_entreprise as client,
                           u.created_at, u.updated_at, u.last_login, f.confirme_le as second_facteur_depuis,
                           k.created_at as calendrier_depuis, i.cree_le as invite_le
                    from users u
                    left join clients c on c.id = u.client_id
                    left join seconds_facteurs f on f.user_id = u.id
                    left join calendriers k on k.user_id = u.id
                    left join invitations i on i.id = u.id
                    where u.id = $1) t
            "#,
            pool,
            user_id
        ),
        Source::Preferences => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select emails_refuses, digest_seulement, silence_debut, silence_fin, updated_at
                    from preferences where user_id = $1) t
            "#,
            pool,
            user_id
        ),
        Source::Technicien => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select t.id, t.equipe, t.disponibilite, t.supprime_le,
                           array(select c.nom from technicien_competences tc join competences c on c.id = tc.competence_id
                                 where tc.technicien_id = t.id order by c.nom) as competences
                    from techniciens t where t.user_id = $1 order by t.id limit 1000) t
            "#,
            pool,
            user_id
        ),
        Source::Sessions => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select id, created_at, last_used_at, expires_at, revoked_at, motif, adresse, user_agent
                    from sessions where user_id = $1 order by created_at limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::Appareils => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select vu_le from appareils where user_id = $1 order by vu_le limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::AppareilsSurs => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select cree_le, expire_le, adresse, user_agent
                    from appareils_surs where user_id = $1 order by cree_le limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::ClesApi => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select id, nom, debut, portees, cree_le, expire_le, utilisee_le
                    from cles_api where user_id = $1 order by cree_le limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::Identites => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select emetteur, sujet, cree_le from identites where user_id = $1 order by cree_le limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::Liens => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select genre, cree_le, expire_le, fini_le from liens_compte where user_id = $1 order by cree_le limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::Invitations => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select id as compte, cree_le, expire_le from invitations where invite_par = $1 order by cree_le limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::Lots => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select id, intervention_id, ouvert_le, ferme_le from lots where ouvert_par = $1 order by id limit 10000) t
            "#,
            pool,
            user_id
        ),
        Source::Rapports => all_rows!(
            r#"
                select to_jsonb(t) as "row!" from (
                    select r.id, r.type, r.format, r.filtres, r.langue, r.titre, r.statut, r.cree_le, r.fini_le, r.expire_le, r.lignes,
                           array(select l.expire_le from rapports_liens l where l.rapport_id = r.id order by l.cree_le) as liens
                    from rapports r where r.user_id = $1 order by r.id limit 10000) t
            "#,
            pool,
            user_id
        ),
        _ => return Ok(None),
    }))
}

/// Some rows of what user `user_id` was told and has done, those after id `after`.
pub(super) async fn of_work(
    pool: &PgPool,
    source: Source,
    user_id: i64,
    after: i64,
) -> Result<Batch> {
    match source {
        Source::Notifications => some_rows!(
            r#"
                select n.id, to_jsonb(t) as "row!"
                from notifications n
                cross join lateral (
                    select n.id, n.type, n.canal, n.contenu, n.intervention_id, n.planning_id, n.read, n.statut, n.tentatives,
                           n.date_creation, n.date_envoi) t
                where n.user_id = $1 and n.id > $2 order by n.id limit $3
            "#,
            pool,
            user_id,
            after
        ),
        Source::Emails => some_rows!(
            window r#"
                select to_jsonb(t) as "row!" from (
                    select e.id, e.statut, e.destinataire, e.jour, e.part_le, e.parti_le, e.avis ->> 'quoi' as avis,
                        array(select en.notification_id from envoi_notifications en where en.envoi_id = e.id
                              order by en.notification_id) as notifications
                    from envois e where e.user_id = $1 and e.id > $2 and e.id <= $3 order by e.id) t
            "#, r#"select coalesce(max(id), 0) as "last!" from envois"#, pool, user_id, after),
        // Of what they did to others not what it was, and of what others did to them not from where.
        Source::Audit => some_rows!(
            r#"
                select id as "id!", to_jsonb(t) as "row!" from (
                    select id, horodatage, action, user_id is not distinct from $1 as par_vous, cible, cible_id,
                           case when user_id = $1 then session_id end as session_id,
                           case when user_id = $1 then adresse end as adresse,
                           case when cible = 'compte' and cible_id = $1::bigint::text then avant end as avant,
                           case when cible = 'compte' and cible_id = $1::bigint::text then apres end as apres
                    from (
                        (select * from audit where user_id = $1 and id > $2 order by id limit $3)
                        union
                        (select * from audit where cible = 'compte' and cible_id = $1::bigint::text and id > $2 order by id limit $3)
                    ) both_of_them order by id limit $3) t
            "#,
            pool,
            user_id,
            after
        ),
        Source::InterventionsConfiees => some_rows!(
            r#"
                select i.id, jsonb_build_object('id', i.id, 'titre', i.titre, 'statut', i.statut, 'date_affectation',
                    i.date_affectation, 'date_debut_travaux', i.date_debut_travaux, 'date_cloture', i.date_cloture,
                    'rapport_intervention', i.rapport_intervention, 'travaux_realises', i.travaux_realises, 'recommandations',
                    i.recommandations, 'duree_reelle', i.duree_reelle, 'temps_deplacement', i.temps_deplacement, 'satisfaction',
                    i.satisfaction) as "row!"
                from techniciens t join interventions i on i.technicien_id = t.id
                where t.user_id = $1 and i.id > $2 order by i.id limit $3
            "#,
            pool,
            user_id,
            after
        ),
        Source::InterventionsCreees => some_rows!(
            window r#"
                select jsonb_build_object('id', id, 'titre', titre, 'date_creation', date_creation) as "row!"
                from interventions where createur_id = $1 and id > $2 and id <= $3 order by id
            "#, r#"select coalesce(max(id), 0) as "last!" from interventions"#, pool, user_id, after),
        // Without the names of those who were assigned.
        Source::Historique => some_rows!(
            window r#"
                select jsonb_build_object('id', id, 'intervention_id', intervention_id, 'statut', statut, 'horodatage', horodatage,
                    'remarque', case when remarque like 'Affectation à %' then 'Affectation' else remarque end) as "row!"
                from historique where user_id = $1 and id > $2 and id <= $3 order by id
            "#, r#"select coalesce(max(id), 0) as "last!" from historique"#, pool, user_id, after),
        Source::Documents => some_rows!(
            window r#"
                select jsonb_build_object('id', id, 'filename', filename, 'intervention_id', intervention_id, 'date_upload',
                    date_upload, 'size_bytes', size_bytes, 'sha256', sha256, 'description', description) as "row!"
                from documents where depose_par = $1 and id > $2 and id <= $3 order by id
            "#, r#"select coalesce(max(id), 0) as "last!" from documents"#, pool, user_id, after),
        _ => Ok(Batch::default()),
    }
}
