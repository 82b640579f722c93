//! SQL of what mails tell of, and of the mails that tell of something.
use sqlx::PgExecutor;

use crate::Result;

/// The latest mails that tell of an intervention, `limit` at the most.
pub async fn of_intervention(
    db: impl PgExecutor<'_>,
    intervention_id: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let mails = sqlx::query_scalar!(
        r#"
            select distinct en.envoi_id from notifications n join envoi_notifications en on en.notification_id = n.id
            where n.intervention_id = $1 order by en.envoi_id desc limit $2
        "#,
        intervention_id,
        limit,
    );
    Ok(mails.fetch_all(db).await?)
}

/// The latest mails that tell of a planning, `limit` at the most.
pub async fn of_planning(
    db: impl PgExecutor<'_>,
    planning_id: i64,
    limit: i64,
) -> Result<Vec<i64>> {
    let mails = sqlx::query_scalar!(
        r#"
            select distinct en.envoi_id from notifications n join envoi_notifications en on en.notification_id = n.id
            where n.planning_id = $1 order by en.envoi_id desc limit $2
        "#,
        planning_id,
        limit,
    );
    Ok(mails.fetch_all(db).await?)
}

/// The interventions and plannings that a mail tells of, `limit` at the most.
pub async fn subjects(
    db: impl PgExecutor<'_>,
    envoi_id: i64,
    limit: i64,
) -> Result<Vec<(Option<i64>, Option<i64>)>> {
    let rows = sqlx::query!(
        r#"
            select distinct n.intervention_id, n.planning_id
            from envoi_notifications en join notifications n on n.id = en.notification_id
            where en.envoi_id = $1 limit $2
        "#,
        envoi_id,
        limit,
    );
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| (row.intervention_id, row.planning_id)).collect())
}
