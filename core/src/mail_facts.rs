//! What mails say of notifications: with each the intervention, the visit and the machine that it is about.
use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::{
    Lang, Result,
    interventions::PrioriteIntervention,
    notifications::{CanalNotification, StatutNotification, TypeNotification},
    planning::FrequencePlanning,
};

/// All that a mail says of a notification.
#[derive(Debug, Clone)]
pub struct Facts {
    pub id: i64,
    pub type_: TypeNotification,
    pub canal: CanalNotification,
    pub statut: StatutNotification,
    pub contenu: Option<String>,
    pub user_id: i64,
    pub email: String,
    pub full_name: String,
    pub langue: Lang,
    pub is_active: bool,
    pub intervention_id: Option<i64>,
    pub titre: Option<String>,
    pub priorite: Option<PrioriteIntervention>,
    pub date_limite: Option<DateTime<Utc>>,
    pub equipement: Option<String>,
    pub localisation: Option<String>,
    pub technicien: Option<String>,
    pub rapport: Option<String>,
    pub planning_id: Option<i64>,
    /// Of the planning.
    pub frequence: Option<FrequencePlanning>,
    /// Of the planning: the visit that was announced.
    pub date_visite: Option<DateTime<Utc>>,
}

/// What mails say of the notifications `ids`, by id; notifications that were deleted are absent.
pub async fn facts(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Vec<Facts>> {
    Ok(sqlx::query_as!(
        Facts,
        r#"
            select n.id, n.type as "type_: TypeNotification", n.canal as "canal: CanalNotification",
                   n.statut as "statut: StatutNotification", n.contenu,
                   n.user_id, u.email, u.full_name, u.langue as "langue: Lang", u.is_active,
                   n.intervention_id, i.titre as "titre?", i.priorite as "priorite?: PrioriteIntervention",
                   i.date_limite, e.nom as "equipement?", e.localisation as "localisation?",
                   tu.full_name as "technicien?", i.rapport_intervention as rapport,
                   p.id as "planning_id?", p.frequence as "frequence?: FrequencePlanning", coalesce(p.rappel_signale, p.prochaine_date) as date_visite
            from notifications n
            join users u on u.id = n.user_id
            left join interventions i on i.id = n.intervention_id
            left join plannings p on p.id = n.planning_id
            left join equipements e on e.id = coalesce(i.equipement_id, p.equipement_id)
            left join techniciens t on t.id = i.technicien_id
            left join users tu on tu.id = t.user_id
            where n.id = any($1)
            order by n.id
        "#,
        ids,
    )
    .fetch_all(db)
    .await?)
}
