//! SQL of the `notifications` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{
    CanalNotification, Circle, CountsOut, NotificationFields, NotificationFilter, NotificationOut,
    SORTABLE, StatutNotification, TypeNotification, routing::Recipient,
};
use crate::{
    Error, Lang, Noun, Result,
    page::{self, Listed, MOST_COUNTED},
};

pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<NotificationOut> {
    sqlx::query_as!(
        NotificationOut,
        r#"
            select id, type as "type_: TypeNotification", canal as "canal: CanalNotification", contenu, date_envoi,
                   intervention_id, planning_id, user_id, read, statut as "statut: StatutNotification", tentatives, derniere_erreur
            from notifications
            where id = $1
        "#,
        id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::NOTIFICATION))
}

pub async fn list(pool: &PgPool, filter: &NotificationFilter) -> Result<Listed<NotificationOut>> {
    page::list(pool, "notifications", SORTABLE, &filter.page, |query| push_where(query, filter))
        .await
}

fn push_where(query: &mut QueryBuilder<Postgres>, filter: &NotificationFilter) {
    query.push(" where true");
    if let Some(user_id) = filter.user_id {
        query.push(" and user_id = ").push_bind(user_id);
    }
    if let Some(intervention_id) = filter.intervention_id {
        query.push(" and intervention_id = ").push_bind(intervention_id);
    }
    if let Some(statut) = filter.statut {
        query.push(" and statut = ").push_bind(statut);
    }
    if let Some(unread) = filter.unread {
        query.push(if unread { " and not read" } else { " and read" });
    }
}

/// How many notifications user `user_id` has, counted up to [`MOST_COUNTED`], and how many are unread.
pub async fn counts(db: impl PgExecutor<'_>, user_id: i64) -> Result<CountsOut> {
    Ok(sqlx::query_as!(
        CountsOut,
        r#"
            select (select count(*) from notifications where user_id = $1 and not read) as "unread!",
                   (select count(*) from (select from notifications where user_id = $1 limit $2) as counted) as "total!"
        "#,
        user_id,
        MOST_COUNTED,
    )
    .fetch_one(db)
    .await?)
}

/// Marks a waiting notification that is in no mail yet as failed, for `reason`.
pub(super) async fn give_up(tx: &mut PgConnection, id: i64, reason: &str) -> Result<()> {
    sqlx::query!(
        r#"
            update notifications n set statut = 'echouee', derniere_erreur = $2
            where id = $1 and statut = 'en_file'
              and not exists (select from envoi_notifications where notification_id = n.id)
        "#,
        id,
        reason,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Undoes [`give_up`].
pub(super) async fn queue_again(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!(
        r#"
            update notifications n set statut = 'en_file'
            where id = $1 and statut = 'echouee'
              and not exists (select from envoi_notifications where notification_id = n.id)
        "#,
        id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &NotificationFields,
    now: DateTime<Utc>,
) -> sqlx::Result<NotificationOut> {
    sqlx::query_as!(
        NotificationOut,
        r#"
            with voulu as (
                select case when $2 = 'email' and exists (
                    select from preferences
                    where user_id = $6 and (digest_seulement or $1 = any (emails_refuses))
                ) then 'log' else $2 end as canal
            )
            insert into notifications
                (type, canal, contenu, intervention_id, planning_id, user_id, statut, date_creation, date_envoi)
            select $1, canal, $3, $4, $5, $6,
                   case canal when 'email' then 'en_file' else 'envoyee' end, $7::timestamptz,
                   case canal when 'email' then null else $7::timestamptz end
            from voulu
            returning id, type as "type_: TypeNotification", canal as "canal: CanalNotification", contenu, date_envoi,
                   intervention_id, planning_id, user_id, read, statut as "statut: StatutNotification", tentatives,
                   derniere_erreur
        "#,
        new.type_ as TypeNotification,
        new.canal as CanalNotification,
        new.contenu,
        new.intervention_id,
        new.planning_id,
        new.user_id,
        now,
    )
    .fetch_one(tx)
    .await
}

/// The active users of a circle around an intervention, by id. Who is invited and has no password yet is told what is
/// theirs as a technicien or author alone: nobody has confirmed the address.
pub(super) async fn members(
    tx: &mut PgConnection,
    circle: Circle,
    intervention_id: Option<i64>,
) -> Result<Vec<Recipient>> {
    let (technicien, createur, client, responsables, admins) = (
        circle == Circle::Technicien,
        circle == Circle::Createur,
        circle == Circle::UtilisateursDuClient,
        circle == Circle::Responsables,
        circle == Circle::Admins,
    );
    Ok(sqlx::query_as!(
        Recipient,
        r#"
            select u.id as user_id, u.langue as "langue: Lang"
            from users u
            where u.is_active and (
                $2 and u.id = (select t.user_id from interventions i join techniciens t on t.id = i.technicien_id where i.id = $1)
                or $3 and u.id = (select createur_id from interventions where id = $1)
                or $4 and u.password_hash <> '' and u.client_id = (
                    select e.client_id from interventions i join equipements e on e.id = i.equipement_id where i.id = $1)
                or $5 and u.password_hash <> '' and (u.role = 'responsable' or u.role = 'admin'
                    and not exists (select from users where is_active and role = 'responsable' and password_hash <> ''))
                or $6 and u.password_hash <> '' and u.role = 'admin'
            )
            order by u.id
        "#,
        intervention_id,
        technicien,
        createur,
        client,
        responsables,
        admins,
    )
    .fetch_all(tx)
    .await?)
}

pub(super) async fn withdraw_alerts(
    tx: &mut PgConnection,
    intervention_id: i64,
    types: &[TypeNotification],
    now: DateTime<Utc>,
) -> Result<()> {
    let types: Vec<_> = types.iter().map(|type_| type_.as_str().to_owned()).collect();
    sqlx::query!(
        r#"
            with held as (
                select id from notifications n
                where intervention_id = $1 and type = any($2) and (not read or statut <> 'envoyee')
                  and exists (select from evenements_notifies e where e.notification_id = n.id)
                order by id
                for no key update
            )
            update notifications n
            set read = true,
                canal = case statut when 'envoyee' then canal else 'log' end,
                date_envoi = case statut when 'envoyee' then date_envoi else $3 end,
                statut = 'envoyee'
            from held where n.id = held.id
        "#,
        intervention_id,
        &types,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn mark_read(tx: &mut PgConnection, id: i64, owner: i64) -> Result<()> {
    let done = sqlx::query!(
        "update notifications set read = true where id = $1 and user_id = $2",
        id,
        owner
    )
    .execute(tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::NOTIFICATION)) }
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64) -> Result<()> {
    let done = sqlx::query!("delete from notifications where id = $1", id).execute(tx).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::NOTIFICATION)) }
}
