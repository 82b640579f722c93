//! What there is about a person, table by table, as JSON: every row that is theirs, without secrets and their hashes.
use serde_json::Value;
use sqlx::PgPool;

use crate::Result;

/// The rows of one statement.
const ROWS: i64 = 500;
/// The ids that one statement looks through, in tables that have no index by person: it must not take long.
const WINDOW: i64 = 50_000;

/// A file of the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Compte,
    Preferences,
    Technicien,
    Sessions,
    Appareils,
    AppareilsSurs,
    ClesApi,
    Identites,
    Liens,
    Invitations,
    Lots,
    Notifications,
    Emails,
    Audit,
    InterventionsConfiees,
    InterventionsCreees,
    Historique,
    Documents,
}

/// Some rows of a source.
#[derive(Debug, Default)]
pub struct Batch {
    pub rows: Vec<Value>,
    /// After which id the next ones are; `None` after the last.
    pub next: Option<i64>,
}

impl Source {
    pub const ALL: [Self; 18] = [
        Self::Compte,
        Self::Preferences,
        Self::Technicien,
        Self::Sessions,
        Self::Appareils,
        Self::AppareilsSurs,
        Self::ClesApi,
        Self::Identites,
        Self::Liens,
        Self::Invitations,
        Self::Lots,
        Self::Notifications,
        Self::Emails,
        Self::Audit,
        Self::InterventionsConfiees,
        Self::InterventionsCreees,
        Self::Historique,
        Self::Documents,
    ];

    /// The name of its file, and what is in it, in French and in English.
    #[must_use]
    pub fn about(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Compte => ("compte", "votre compte", "your account"),
            Self::Preferences => {
                ("preferences", "les e-mails que vous voulez", "the mails you want")
            }
            Self::Technicien => {
                ("technicien", "votre fiche de technicien", "your technician record")
            }
            Self::Sessions => ("sessions", "vos connexions", "your sign-ins"),
            Self::Appareils => ("appareils", "les appareils déjà vus", "the devices seen before"),
            Self::AppareilsSurs => {
                ("appareils_surs", "les appareils sans second facteur", "the trusted devices")
            }
            Self::ClesApi => ("cles_api", "vos clés d’API", "your API keys"),
            Self::Identites => (
                "identites",
                "qui vous êtes chez le fournisseur de connexion de l’entreprise",
                "who you are at the sign-in provider of the company",
            ),
            Self::Liens => (
                "liens",
                "les liens de compte qui vous ont été envoyés",
                "the account links sent to you",
            ),
            Self::Invitations => (
                "invitations",
                "les invitations que vous avez envoyées",
                "the invitations you sent",
            ),
            Self::Lots => {
                ("lots", "les envois de fichiers que vous avez ouverts", "the uploads you began")
            }
            Self::Notifications => ("notifications", "vos notifications", "your notifications"),
            Self::Emails => {
                ("emails", "les e-mails qui vous ont été envoyés", "the mails sent to you")
            }
            Self::Audit => (
                "audit",
                "ce que le journal d’audit retient de vous",
                "what the audit keeps of you",
            ),
            Self::InterventionsConfiees => (
                "interventions_confiees",
                "les interventions qui vous sont confiées",
                "the interventions assigned to you",
            ),
            Self::InterventionsCreees => (
                "interventions_creees",
                "les interventions que vous avez ouvertes",
                "the interventions you opened",
            ),
            Self::Historique => {
                ("historique", "les étapes que vous avez écrites", "the steps you wrote")
            }
            Self::Documents => {
                ("documents", "les fichiers que vous avez déposés", "the files you uploaded")
            }
        }
    }
}

/// `Batch` of a statement that returns `id` and `row`, for user `$1`, after id `$2`, at most `$3` rows; or, with `small`, all rows.
macro_rules! rows {
    (small $sql:literal, $pool:expr, $user:expr) => {{
        let rows = sqlx::query_scalar!($sql, $user).fetch_all($pool).await?;
        Ok(Batch { rows, next: None })
    }};
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

/// The rows of `source` about user `user_id` that are after id `after` (0: the first).
pub async fn batch(pool: &PgPool, source: Source, user_id: i64, after: i64) -> Result<Batch> {
    match source {
        Source::Compte => rows!(
            small r#"
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
            "#, pool, user_id),
        Source::Preferences => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select emails_refuses, digest_seulement, silence_debut, silence_fin, updated_at
                    from preferences where user_id = $1) t
            "#, pool, user_id),
        Source::Technicien => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select t.id, t.equipe, t.disponibilite, t.supprime_le,
                           array(select c.nom from technicien_competences tc join competences c on c.id = tc.competence_id
                                 where tc.technicien_id = t.id order by c.nom) as competences
                    from techniciens t where t.user_id = $1 order by t.id limit 1000) t
            "#, pool, user_id),
        Source::Sessions => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select id, created_at, last_used_at, expires_at, revoked_at, motif, adresse, user_agent
                    from sessions where user_id = $1 order by created_at limit 10000) t
            "#, pool, user_id),
        Source::Appareils => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select vu_le from appareils where user_id = $1 order by vu_le limit 10000) t
            "#, pool, user_id),
        Source::AppareilsSurs => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select cree_le, expire_le, adresse, user_agent
                    from appareils_surs where user_id = $1 order by cree_le limit 10000) t
            "#, pool, user_id),
        Source::ClesApi => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select id, nom, debut, portees, cree_le, expire_le, utilisee_le
                    from cles_api where user_id = $1 order by cree_le limit 10000) t
            "#, pool, user_id),
        Source::Identites => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select emetteur, sujet, cree_le from identites where user_id = $1 order by cree_le limit 10000) t
            "#, pool, user_id),
        Source::Liens => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select genre, cree_le, expire_le, fini_le from liens_compte where user_id = $1 order by cree_le limit 10000) t
            "#, pool, user_id),
        Source::Invitations => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select id as compte, cree_le, expire_le from invitations where invite_par = $1 order by cree_le limit 10000) t
            "#, pool, user_id),
        Source::Lots => rows!(
            small r#"
                select to_jsonb(t) as "row!" from (
                    select id, intervention_id, ouvert_le, ferme_le from lots where ouvert_par = $1 order by id limit 10000) t
            "#, pool, user_id),
        Source::Notifications => rows!(
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
        Source::Emails => rows!(
            window r#"
                select to_jsonb(t) as "row!" from (
                    select e.id, e.statut, e.destinataire, e.jour, e.part_le, e.parti_le, e.avis ->> 'quoi' as avis,
                        array(select en.notification_id from envoi_notifications en where en.envoi_id = e.id
                              order by en.notification_id) as notifications
                    from envois e where e.user_id = $1 and e.id > $2 and e.id <= $3 order by e.id) t
            "#, r#"select coalesce(max(id), 0) as "last!" from envois"#, pool, user_id, after),
        // Of what they did to others not what it was, and of what others did to them not from where.
        Source::Audit => rows!(
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
        Source::InterventionsConfiees => rows!(
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
        Source::InterventionsCreees => rows!(
            window r#"
                select jsonb_build_object('id', id, 'titre', titre, 'date_creation', date_creation) as "row!"
                from interventions where createur_id = $1 and id > $2 and id <= $3 order by id
            "#, r#"select coalesce(max(id), 0) as "last!" from interventions"#, pool, user_id, after),
        // Without the names of those who were assigned.
        Source::Historique => rows!(
            window r#"
                select jsonb_build_object('id', id, 'intervention_id', intervention_id, 'statut', statut, 'horodatage', horodatage,
                    'remarque', case when remarque like 'Affectation à %' then 'Affectation' else remarque end) as "row!"
                from historique where user_id = $1 and id > $2 and id <= $3 order by id
            "#, r#"select coalesce(max(id), 0) as "last!" from historique"#, pool, user_id, after),
        Source::Documents => rows!(
            window r#"
                select jsonb_build_object('id', id, 'filename', filename, 'intervention_id', intervention_id, 'date_upload',
                    date_upload, 'size_bytes', size_bytes, 'sha256', sha256, 'description', description) as "row!"
                from documents where depose_par = $1 and id > $2 and id <= $3 order by id
            "#, r#"select coalesce(max(id), 0) as "last!" from documents"#, pool, user_id, after),
    }
}
