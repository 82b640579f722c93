//! SQL of `envois` and `envoi_notifications`, and nothing else.
use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{AccountNotice, Ending, Envoi, StatutEnvoi};
use crate::{
    Result,
    mailer::Frozen,
    notifications::{StatutNotification, TypeNotification},
};

/// A mail; `None` if it was deleted.
pub async fn find(db: impl PgExecutor<'_>, envoi_id: i64) -> Result<Option<Envoi>> {
    // A worker of the previous release marks a mail as sent by `parti_le` alone.
    Ok(sqlx::query_as!(
        Envoi,
        r#"
            select e.id, e.user_id, e.jour, e.avis as "avis: Json<AccountNotice>", e.message_id is not null as "is_frozen!", e.transmissions,
                exists (
                    select from queue.everything j
                    where j.live and j.id = e.transmis_par and j.started_at = e.transmis_depuis) as "is_under_way!",
                coalesce(e.destinataire, u.email) as "email!",
                e.message_id is not null or e.jour is not null or e.avis is not null or exists (
                    select from envoi_notifications en join notifications n on n.id = en.notification_id
                    where en.envoi_id = e.id and n.canal = 'email' and n.statut = 'en_file') as "has_contents!",
                case when e.statut = 'en_file' and e.parti_le is not null then 'envoyee' else e.statut end
                    as "statut!: StatutEnvoi"
            from envois e join users u on u.id = e.user_id
            where e.id = $1
        "#,
        envoi_id,
    )
    .fetch_optional(db)
    .await?)
}

/// The state of a mail, whose row is locked until the transaction ends, and whether it is about the account of its reader.
pub(super) async fn find_for_update(
    tx: &mut PgConnection,
    envoi_id: i64,
) -> Result<Option<(StatutEnvoi, bool)>> {
    let found = sqlx::query!(
        r#"
            select statut as "statut: StatutEnvoi", avis is not null as "of_account!" from envois where id = $1 for update
        "#,
        envoi_id,
    );
    Ok(found.fetch_optional(tx).await?.map(|row| (row.statut, row.of_account)))
}

/// The frozen mail; `None` if it was not frozen, or if its bytes were removed after their retention time.
pub async fn frozen(db: impl PgExecutor<'_>, envoi_id: i64) -> Result<Option<Frozen>> {
    let row = sqlx::query!(
        r#"
            select destinataire as "destinataire!", message_id as "message_id!", corps as "corps!"
            from envois
            where id = $1 and destinataire is not null and message_id is not null and corps is not null
        "#,
        envoi_id,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Frozen {
        to_email: row.destinataire,
        message_id: row.message_id,
        bytes: row.corps,
    }))
}

/// Whether a mail holds something that its reader has to act on, or is about the account of its reader, so that it is better
/// sent twice than not at all.
pub async fn must_arrive(db: impl PgExecutor<'_>, envoi_id: i64) -> Result<bool> {
    use TypeNotification::{Affectation, Alerte, Rappel, Retard};
    let types = [Affectation, Rappel, Retard, Alerte].map(|type_| type_.as_str().to_owned());
    Ok(sqlx::query_scalar!(
        r#"
            select exists (
                select from envoi_notifications en join notifications n on n.id = en.notification_id
                where en.envoi_id = $1 and n.type = any($2))
                or exists (select from envois where id = $1 and avis is not null) as "it!"
        "#,
        envoi_id,
        &types,
    )
    .fetch_one(db)
    .await?)
}

/// The reader of a notification that waits to be mailed and is in no mail; locks the notification.
pub(super) async fn reader_without_mail(
    tx: &mut PgConnection,
    notification_id: i64,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select user_id from notifications n
            where id = $1 and canal = 'email' and statut = 'en_file'
              and not exists (select from envoi_notifications where notification_id = n.id)
            for update
        "#,
        notification_id,
    )
    .fetch_optional(tx)
    .await?)
}

pub(super) async fn leave(tx: &mut PgConnection, notification_id: i64) -> Result<()> {
    sqlx::query!("delete from envoi_notifications where notification_id = $1", notification_id)
        .execute(tx)
        .await?;
    Ok(())
}

/// When the last mail of notifications to a user was sent, or its transmission began.
pub(super) async fn last_departure(
    tx: &mut PgConnection,
    user_id: i64,
) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        r#"
            select max(greatest(parti_le, case statut when 'en_transmission' then transmis_le end))
            from envois where user_id = $1 and jour is null and avis is null
        "#,
        user_id
    )
    .fetch_one(tx)
    .await?)
}

/// The open mail of a user, locked, and whether this call has opened it.
pub(super) async fn open(
    tx: &mut PgConnection,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<(i64, bool)> {
    // A worker of the previous release reopens a mail that it could not send, which may be frozen by then.
    sqlx::query!(
        r#"
            update envois set ferme_le = $2
            where user_id = $1 and ferme_le is null and (statut <> 'en_file' or message_id is not null or parti_le is not null)
        "#,
        user_id,
        now,
    )
    .execute(&mut *tx)
    .await?;
    let row = sqlx::query!(
        r#"
            insert into envois (user_id, part_le) values ($1, $2)
            on conflict (user_id) where ferme_le is null do update set user_id = excluded.user_id
            returning id, xmax = 0 as "is_new!"
        "#,
        user_id,
        now,
    )
    .fetch_one(tx)
    .await?;
    Ok((row.id, row.is_new))
}

/// Opens a mail that no later notification can join.
pub(super) async fn open_closed(
    tx: &mut PgConnection,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "insert into envois (user_id, part_le, ferme_le) values ($1, $2, $2) returning id",
        user_id,
        now,
    )
    .fetch_one(tx)
    .await?)
}

pub(super) async fn open_digest(
    tx: &mut PgConnection,
    user_id: i64,
    jour: NaiveDate,
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "insert into envois (user_id, part_le, ferme_le, jour) values ($1, $2, $2, $3) returning id",
        user_id,
        now,
        jour,
    )
    .fetch_one(tx)
    .await?)
}

pub(super) async fn open_account_notice(
    tx: &mut PgConnection,
    user_id: i64,
    avis: &AccountNotice,
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "insert into envois (user_id, part_le, ferme_le, avis) values ($1, $2, $2, $3) returning id",
        user_id,
        now,
        Json(avis) as _,
    )
    .fetch_one(tx)
    .await?)
}

pub(super) async fn set_departure(
    tx: &mut PgConnection,
    envoi_id: i64,
    part_le: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("update envois set part_le = $2 where id = $1", envoi_id, part_le)
        .execute(tx)
        .await?;
    Ok(())
}

pub(super) async fn add(
    tx: &mut PgConnection,
    envoi_id: i64,
    notification_ids: &[i64],
) -> Result<()> {
    // A notification that was deleted in the same transaction is left out.
    sqlx::query!(
        r#"
            insert into envoi_notifications (envoi_id, notification_id)
            select $1, id from notifications where id = any($2)
            on conflict do nothing
        "#,
        envoi_id,
        notification_ids,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn close(tx: &mut PgConnection, envoi_id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update envois set ferme_le = coalesce(ferme_le, $2) where id = $1",
        envoi_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The notifications of a mail that wait to be sent, by id.
pub(super) async fn waiting(tx: &mut PgConnection, envoi_id: i64) -> Result<Vec<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select n.id from envoi_notifications en join notifications n on n.id = en.notification_id
            where en.envoi_id = $1 and n.canal = 'email' and n.statut = 'en_file'
            order by n.id
        "#,
        envoi_id,
    )
    .fetch_all(tx)
    .await?)
}

pub(super) async fn claim(
    tx: &mut PgConnection,
    envoi: &Envoi,
    frozen: &Frozen,
    by: Option<(&str, DateTime<Utc>)>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update envois
            set en_doute = en_doute or statut = 'en_transmission', statut = 'en_transmission',
                transmissions = transmissions + 1, transmis_le = $2, transmis_par = $7, transmis_depuis = $8,
                destinataire = coalesce(destinataire, $3), message_id = coalesce(message_id, $4), corps = coalesce(corps, $5)
            where id = $1 and statut in ('en_file', 'en_transmission') and (message_id is null or message_id = $4)
              and transmissions = $6 and parti_le is null
        "#,
        envoi.id,
        now,
        frozen.to_email,
        frozen.message_id,
        frozen.bytes,
        envoi.transmissions,
        by.map(|(job, _)| job),
        by.map(|(_, since)| since),
    )
    .execute(tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records the outcome of a mail for those of its notifications that wait, or whose outcome is in doubt.
pub(super) async fn record_notifications(
    tx: &mut PgConnection,
    envoi_id: i64,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<()> {
    let (statut, attempts) = match ending {
        Ending::Envoyee => (StatutNotification::Envoyee, 1),
        Ending::EnFile(_) | Ending::EnDoute(_) => (StatutNotification::EnFile, 1),
        Ending::Echouee(_) => (StatutNotification::Echouee, 0),
        Ending::Incertaine(_) => (StatutNotification::Incertaine, 1),
        // Its notifications have been read, deleted or withdrawn meanwhile.
        Ending::Annulee => return Ok(()),
    };
    let sent = matches!(ending, Ending::Envoyee).then_some(now);
    // Locked in the order of ids, as in `withdraw_alerts`.
    sqlx::query!(
        r#"
            with held as (
                select id from notifications
                where id in (select notification_id from envoi_notifications where envoi_id = $1)
                  and canal = 'email' and statut in ('en_file', 'incertaine')
                  and exists (select from envois where id = $1 and statut in ('en_file', 'en_transmission'))
                order by id
                for no key update
            )
            update notifications n
            set statut = $2, derniere_erreur = $3, date_envoi = $4, tentatives = tentatives + $5
            from held where n.id = held.id
        "#,
        envoi_id,
        statut as StatutNotification,
        ending.reason(),
        sent,
        attempts,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn record(
    tx: &mut PgConnection,
    envoi_id: i64,
    ending: &Ending,
    now: DateTime<Utc>,
) -> Result<()> {
    let sent = matches!(ending, Ending::Envoyee).then_some(now);
    sqlx::query!(
        r#"
            update envois
            set statut = $2, derniere_erreur = $3, parti_le = coalesce(parti_le, $4), en_doute = en_doute or $6,
                -- What may be tried again gathers on, unless it is frozen.
                ferme_le = case when $2 = 'en_file' then ferme_le else coalesce(ferme_le, $5) end,
                -- The bytes of a mail with a link hold its secret: they are kept only for another transmission.
                corps = case when avis ->> 'lien' is not null and $2 not in ('en_file', 'en_transmission') then null else corps end
            where id = $1 and statut in ('en_file', 'en_transmission')
        "#,
        envoi_id,
        ending.statut() as StatutEnvoi,
        ending.reason(),
        sent,
        now,
        matches!(ending, Ending::EnDoute(_) | Ending::Incertaine(_)),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether a transmission of a mail ended without an answer, or has no recorded end.
pub(super) async fn is_in_doubt(tx: &mut PgConnection, envoi_id: i64) -> Result<bool> {
    let doubt = sqlx::query_scalar!(
        "select en_doute or statut = 'en_transmission' from envois where id = $1",
        envoi_id
    );
    Ok(doubt.fetch_optional(tx).await?.flatten().unwrap_or(false))
}

/// Sets the state of mails that a worker of the previous release has marked as sent by `parti_le` alone, at most `limit`;
/// returns how many.
pub async fn forget_departures(tx: &mut PgConnection, limit: i64) -> Result<usize> {
    let done = sqlx::query!(
        r#"
            update envois set statut = 'envoyee' where id in (
                select id from envois where statut = 'en_file' and parti_le is not null limit $1)
        "#,
        limit,
    );
    let settled = done.execute(tx).await?.rows_affected();
    Ok(usize::try_from(settled).unwrap_or(usize::MAX))
}

/// How many mails are in doubt whose last transmission began after `since`, counted up to 1000.
pub async fn count_in_doubt(db: impl PgExecutor<'_>, since: DateTime<Utc>) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"
            select count(*) as "count!" from (
                select from envois where statut = 'incertaine' and transmis_le > $1 limit 1000) as counted
        "#,
        since,
    );
    Ok(count.fetch_one(db).await?)
}

/// Makes a mail that was given up, or whose outcome is in doubt, wait again, and its notifications too. A frozen mail keeps its
/// bytes. Returns false if the mail has another state, or its frozen bytes were removed.
pub(super) async fn revive(tx: &mut PgConnection, envoi_id: i64) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update envois set statut = 'en_file'
            where id = $1 and statut in ('echouee', 'incertaine') and (message_id is null or corps is not null)
        "#,
        envoi_id,
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        r#"
            update notifications set statut = 'en_file'
            where id in (select notification_id from envoi_notifications where envoi_id = $1)
              and statut in ('echouee', 'incertaine')
        "#,
        envoi_id,
    )
    .execute(tx)
    .await?;
    Ok(true)
}

/// Deletes ended mails that were closed before `before`, at most `limit`; returns how many.
pub(in crate::notifications) async fn forget(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let done = sqlx::query!(
        r#"
            delete from envois where id in (
                select id from envois where ferme_le < $1 and statut not in ('en_file', 'en_transmission') limit $2)
        "#,
        before,
        limit,
    );
    Ok(done.execute(tx).await?.rows_affected())
}

/// Removes the bytes of sent or cancelled mails that were closed before `before`, at most `limit`; returns how many.
pub async fn forget_bodies(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let done = sqlx::query!(
        r#"
            update envois set corps = null where id in (
                select id from envois
                where ferme_le < $1 and corps is not null and statut in ('envoyee', 'annulee') limit $2)
        "#,
        before,
        limit,
    );
    let gone = done.execute(tx).await?.rows_affected();
    Ok(usize::try_from(gone).unwrap_or(usize::MAX))
}
