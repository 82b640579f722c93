//! SQL of the alerts. Rows that another worker has locked are skipped, not waited for.
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::NIVEAUX;
use crate::{
    Result,
    config::Sla,
    interventions::{Intervention, store::of_ids},
};

/// An intervention with its deadline.
pub(super) struct Deadline {
    pub id: i64,
    pub date_limite: DateTime<Utc>,
}

/// Locks open interventions whose deadline has passed at `now` and was not announced, unless another deadline of theirs was
/// announced since `today`, when the day began.
pub(super) async fn lock_late(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    today: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Deadline>> {
    Ok(sqlx::query_as!(
        Deadline,
        r#"
            select id, date_limite as "date_limite!"
            from interventions
            where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and date_limite < $1
              and retard_signale is distinct from date_limite
              and (retard_signale_le is null or retard_signale_le < $2)
            order by date_limite, id limit $3
            for update skip locked
        "#,
        now,
        today,
        limit,
    )
    .fetch_all(tx)
    .await?)
}

pub(super) async fn set_late_announced(
    tx: &mut PgConnection,
    id: i64,
    date_limite: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update interventions set retard_signale = $2, retard_signale_le = $3 where id = $1",
        id,
        date_limite,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Locks open interventions whose deadline is in `from..to` and was not announced.
pub(super) async fn lock_due_between(
    tx: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Deadline>> {
    Ok(sqlx::query_as!(
        Deadline,
        r#"
            select id, date_limite as "date_limite!"
            from interventions
            where statut in ('ouverte', 'affectee', 'en_cours', 'en_attente') and date_limite >= $1 and date_limite < $2
              and rappel_signale is distinct from date_limite
            order by date_limite, id limit $3
            for update skip locked
        "#,
        from,
        to,
        limit,
    )
    .fetch_all(tx)
    .await?)
}

pub(super) async fn set_reminded(
    tx: &mut PgConnection,
    id: i64,
    date_limite: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("update interventions set rappel_signale = $2 where id = $1", id, date_limite)
        .execute(tx)
        .await?;
    Ok(())
}

/// Locks interventions without a technicien that have reached a level which was not announced. Those in `en_attente` are left
/// out: their clock stands still.
pub(super) async fn lock_unassigned(
    tx: &mut PgConnection,
    sla: &Sla,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Intervention>> {
    let seconds =
        [sla.urgente, sla.haute, sla.normale, sla.basse].map(|target| target.num_seconds());
    // The lock first, as in `find_for_update`: the interventions are then read as they are under it.
    let ids = sqlx::query_scalar!(
        r#"
            select id from interventions
            where technicien_id is null and statut in ('ouverte', 'affectee', 'en_cours')
              and sla_niveau < cardinality($2::integer[])
              and extract(epoch from $1 - date_creation) - attente_secondes
                  >= ($2::integer[])[sla_niveau + 1] * ($3::bigint[])[case
                      when urgence or priorite = 'urgente' then 1
                      when priorite = 'haute' then 2
                      when priorite = 'normale' then 3
                      when priorite = 'basse' then 4
                  end]
            order by date_creation, id limit $4
            for update skip locked
        "#,
        now,
        &NIVEAUX[..],
        &seconds[..],
        limit,
    )
    .fetch_all(&mut *tx)
    .await?;
    of_ids(tx, &ids).await
}

pub(super) async fn set_sla_niveau(tx: &mut PgConnection, id: i64, niveau: i16) -> Result<()> {
    sqlx::query!("update interventions set sla_niveau = $2 where id = $1", id, niveau)
        .execute(tx)
        .await?;
    Ok(())
}
