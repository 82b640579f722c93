//! SQL of the `notifications` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{
    CanalNotification, Delivery, NewNotification, NotificationFilter, NotificationOut, SORTABLE,
    StatutNotification, TypeNotification,
};
use crate::{
    Error, Noun, Result,
    interventions::PrioriteIntervention,
    page::{self, Listed},
};

pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<NotificationOut> {
    sqlx::query_as!(
        NotificationOut,
        r#"
            select id, type as "type_: TypeNotification", canal as "canal: CanalNotification", contenu, date_envoi,
                   intervention_id, user_id, read, statut as "statut: StatutNotification", tentatives, derniere_erreur
            from notifications
            where id = $1
        "#,
        id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::Notification))
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

/// All that a mail says of a notification.
#[derive(Debug, Clone)]
pub struct Facts {
    pub id: i64,
    pub type_: TypeNotification,
    pub statut: StatutNotification,
    pub contenu: Option<String>,
    pub email: String,
    pub full_name: String,
    pub is_active: bool,
    pub intervention_id: Option<i64>,
    pub titre: Option<String>,
    pub priorite: Option<PrioriteIntervention>,
    pub date_limite: Option<DateTime<Utc>>,
    pub equipement: Option<String>,
    pub localisation: Option<String>,
    pub technicien: Option<String>,
    pub rapport: Option<String>,
}

/// What the mail of notification `id` says; an absent notification was deleted.
pub async fn facts(db: impl PgExecutor<'_>, id: i64) -> Result<Facts> {
    sqlx::query_as!(
        Facts,
        r#"
            select n.id, n.type as "type_: TypeNotification", n.statut as "statut: StatutNotification", n.contenu,
                   u.email, u.full_name, u.is_active,
                   n.intervention_id, i.titre as "titre?", i.priorite as "priorite?: PrioriteIntervention",
                   i.date_limite, e.nom as "equipement?", e.localisation as "localisation?",
                   tu.full_name as "technicien?", i.rapport_intervention as rapport
            from notifications n
            join users u on u.id = n.user_id
            left join interventions i on i.id = n.intervention_id
            left join equipements e on e.id = i.equipement_id
            left join techniciens t on t.id = i.technicien_id
            left join users tu on tu.id = t.user_id
            where n.id = $1
        "#,
        id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound(Noun::Notification))
}

/// Records how an attempt to send ended. One that was sent stays sent.
pub async fn record_delivery(
    db: impl PgExecutor<'_>,
    id: i64,
    delivery: &Delivery,
    now: DateTime<Utc>,
) -> Result<()> {
    let (statut, erreur, date_envoi, attempts) = match delivery {
        Delivery::Sent => (StatutNotification::Envoyee, None, Some(now), 1),
        Delivery::Failed(error) => (StatutNotification::EnFile, Some(error), None, 1),
        Delivery::GivenUp(error) => (StatutNotification::Echouee, Some(error), None, 0),
    };
    sqlx::query!(
        r#"
            update notifications
            set statut = $2, derniere_erreur = $3, date_envoi = $4, tentatives = tentatives + $5
            where id = $1 and statut <> 'envoyee'
        "#,
        id,
        statut as StatutNotification,
        erreur,
        date_envoi,
        attempts,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes back a delivery that was given up; nothing happens to a notification that is gone, or was sent.
pub(super) async fn set_queued_again(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!(
        "update notifications set statut = 'en_file' where id = $1 and statut = 'echouee'",
        id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &NewNotification,
    now: DateTime<Utc>,
) -> sqlx::Result<NotificationOut> {
    let (statut, date_envoi) = match new.canal {
        CanalNotification::Email => (StatutNotification::EnFile, None),
        CanalNotification::Log => (StatutNotification::Envoyee, Some(now)),
    };
    sqlx::query_as!(
        NotificationOut,
        r#"
            insert into notifications (type, canal, contenu, intervention_id, user_id, statut, date_creation, date_envoi)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            returning id, type as "type_: TypeNotification", canal as "canal: CanalNotification", contenu, date_envoi,
                   intervention_id, user_id, read, statut as "statut: StatutNotification", tentatives, derniere_erreur
        "#,
        new.type_ as TypeNotification,
        new.canal as CanalNotification,
        new.contenu,
        new.intervention_id,
        new.user_id,
        statut as StatutNotification,
        now,
        date_envoi,
    )
    .fetch_one(tx)
    .await
}

pub(super) async fn mark_read(tx: &mut PgConnection, id: i64, owner: i64) -> Result<()> {
    let done = sqlx::query!(
        "update notifications set read = true where id = $1 and user_id = $2",
        id,
        owner
    )
    .execute(tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::Notification)) }
}

pub(super) async fn delete(tx: &mut PgConnection, id: i64) -> Result<()> {
    let done = sqlx::query!("delete from notifications where id = $1", id).execute(tx).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::Notification)) }
}
