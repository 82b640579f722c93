//! The statements of `POST /interventions` with a technicien, in plain sqlx: the caller's account, then one transaction, as
//! Postgres's log shows them (`log_statement = all`) for an assignment that joins the open mail of its reader.
#![expect(
    clippy::disallowed_methods,
    reason = "a limit: the statements, and nothing of ours around them"
)]

use std::time::{Duration, Instant};

use chrono::Utc;
use futures_util::future::try_join_all;
use sqlx::PgPool;

/// How often a second the statements are run by `clients` tasks at once, each for a technicien of its own.
pub(crate) async fn per_second(
    pool: &PgPool,
    by: i64,
    clients: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let techniciens: Vec<(i64, i64)> = sqlx::query_as(
        "select id, user_id from techniciens where user_id is not null order by id limit $1",
    )
    .bind(i64::try_from(clients)?)
    .fetch_all(pool)
    .await?;
    let equipement: i64 =
        sqlx::query_scalar("select min(id) from equipements").fetch_one(pool).await?;
    let started = Instant::now();
    let counts = try_join_all(techniciens.into_iter().map(|(technicien, reader)| {
        let pool = pool.clone();
        let work = async move {
            let mut count = 0_u32;
            while started.elapsed() < time {
                open(&pool, by, technicien, reader, equipement).await?;
                count += 1;
            }
            anyhow::Ok(count)
        };
        tokio::spawn(work)
    }))
    .await?;
    let count: u32 = counts.into_iter().sum::<anyhow::Result<u32>>()?;
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn open(
    pool: &PgPool,
    by: i64,
    technicien: i64,
    reader: i64,
    equipement: i64,
) -> anyhow::Result<()> {
    let now = Utc::now();
    sqlx::query("select u.id, u.email, u.role, u.client_id, u.is_active, coalesce(c.is_active, true), u.token_version, u.password_hash \
        from users u left join clients c on c.id = u.client_id left join sessions s on s.user_id = u.id and s.id = $1 where u.id = $2")
        .bind(uuid::Uuid::nil()).bind(by).fetch_one(pool).await?;
    let mut tx = pool.begin().await?;
    sqlx::query("select user_id from techniciens where id = $1 and supprime_le is null for share")
        .bind(technicien)
        .fetch_one(&mut *tx)
        .await?;
    let id: i64 = sqlx::query_scalar("insert into interventions (titre, type, statut, priorite, urgence, date_creation, date_affectation, \
            technicien_id, equipement_id, createur_id, prise_en_charge_le, prise_en_charge_secondes, attente_depuis) \
        values ('Fuite', 'corrective', 'affectee', 'normale', false, $1, $1, $2, $3, $4, $1, 0, $1) returning id")
        .bind(now).bind(technicien).bind(equipement).bind(by).fetch_one(&mut *tx).await?;
    sqlx::query("select i.*, e.nom, e.localisation, c.id, c.nom_entreprise, t.equipe, u.full_name from interventions i \
        join equipements e on e.id = i.equipement_id left join clients c on c.id = e.client_id \
        left join techniciens t on t.id = i.technicien_id left join users u on u.id = t.user_id where i.id = $1")
        .bind(id).fetch_one(&mut *tx).await?;
    sqlx::query("insert into historique (intervention_id, statut, remarque, horodatage, user_id) values ($1, 'affectee', 'Création', $2, $3) returning id")
        .bind(id).bind(now).bind(by).fetch_one(&mut *tx).await?;
    sqlx::query("select u.id, u.langue from users u where u.is_active and u.id = \
        (select t.user_id from interventions i join techniciens t on t.id = i.technicien_id where i.id = $1) order by u.id")
        .bind(id).fetch_all(&mut *tx).await?;
    let cle = format!("limite:{id}");
    sqlx::query("insert into evenements_notifies (cle, user_id, notifie_le) values ($1, $2, $3) on conflict do nothing")
        .bind(&cle).bind(reader).bind(now).execute(&mut *tx).await?;
    let notification: i64 = sqlx::query_scalar("with voulu as (select case when exists (select from preferences where user_id = $2 \
            and (digest_seulement or 'affectation' = any (emails_refuses))) then 'log' else 'email' end as canal) \
        insert into notifications (type, canal, intervention_id, user_id, statut, date_creation) \
        select 'affectation', canal, $1, $2, 'en_file', $3 from voulu returning id")
        .bind(id).bind(reader).bind(now).fetch_one(&mut *tx).await?;
    sqlx::query(
        "update evenements_notifies set notification_id = $3 where cle = $1 and user_id = $2",
    )
    .bind(&cle)
    .bind(reader)
    .bind(notification)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "update envois set ferme_le = $2 where user_id = $1 and ferme_le is null \
        and (statut <> 'en_file' or message_id is not null or parti_le is not null)",
    )
    .bind(reader)
    .bind(now)
    .execute(&mut *tx)
    .await?;
    let envoi: i64 = sqlx::query_scalar("insert into envois (user_id, part_le) values ($1, $2) \
        on conflict (user_id) where ferme_le is null do update set user_id = excluded.user_id returning id")
        .bind(reader).bind(now + chrono::TimeDelta::hours(1)).fetch_one(&mut *tx).await?;
    sqlx::query("insert into envoi_notifications (envoi_id, notification_id) select $1, id from notifications where id = any($2) on conflict do nothing")
        .bind(envoi).bind([notification]).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(())
}
