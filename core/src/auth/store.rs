//! SQL of `sessions` and `appareils`, and of the `refresh_tokens` that earlier versions left; nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::sessions::{Motif, Origin, Session, SessionOut};
use crate::{
    Result, Tx,
    users::{Account, UserRole},
};

pub(super) struct NewSession<'a> {
    pub id: Uuid,
    pub account: &'a Account,
    pub famille: &'a [u8],
    pub empreinte: &'a [u8],
    pub expires_at: DateTime<Utc>,
    pub fin: DateTime<Utc>,
    pub origin: &'a Origin,
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &NewSession<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into sessions (id, user_id, token_version, famille, empreinte, created_at, last_used_at, expires_at, fin,
                                  adresse, user_agent)
            values ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10)
        "#,
        new.id,
        new.account.id,
        new.account.token_version,
        new.famille,
        new.empreinte,
        now,
        new.expires_at,
        new.fin,
        new.origin.adresse,
        new.origin.user_agent,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The user of a session, read without a lock: the row of the account is locked before that of the session.
pub(super) async fn owner(db: &mut PgConnection, famille: &[u8]) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!("select user_id from sessions where famille = $1", famille)
        .fetch_optional(db)
        .await?)
}

pub(super) async fn find_for_update(
    tx: &mut PgConnection,
    famille: &[u8],
) -> Result<Option<Session>> {
    Ok(sqlx::query_as!(
        Session,
        r#"
            select id, token_version, empreinte, empreinte_avant, sel, last_used_at, expires_at, fin, revoked_at
            from sessions
            where famille = $1
            for update
        "#,
        famille,
    )
    .fetch_optional(tx)
    .await?)
}

pub(super) async fn exchange(
    tx: &mut PgConnection,
    id: Uuid,
    empreinte: &[u8],
    sel: &[u8],
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            update sessions
            set empreinte_avant = empreinte, empreinte = $2, sel = $3, expires_at = $4, last_used_at = $5
            where id = $1
        "#,
        id,
        empreinte,
        sel,
        expires_at,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Whether session `id` belongs to user `user_id` and has not ended.
pub(super) async fn lives(
    tx: &mut PgConnection,
    id: Uuid,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        "select id from sessions where id = $1 and user_id = $2 and revoked_at is null and expires_at > $3",
        id,
        user_id,
        now,
    );
    Ok(found.fetch_optional(tx).await?.is_some())
}

pub(super) async fn revoke(
    tx: &mut Tx<'_>,
    id: Uuid,
    motif: Motif,
    now: DateTime<Utc>,
) -> Result<()> {
    tx.end_access();
    sqlx::query!(
        "update sessions set revoked_at = $2, motif = $3 where id = $1 and revoked_at is null",
        id,
        now,
        motif.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn revoke_all(
    tx: &mut Tx<'_>,
    user_id: i64,
    keep: Option<Uuid>,
    motif: Motif,
    now: DateTime<Utc>,
) -> Result<()> {
    tx.end_access();
    sqlx::query!(
        r#"
            update sessions set revoked_at = $3, motif = $4
            where user_id = $1 and revoked_at is null and id is distinct from $2
        "#,
        user_id,
        keep,
        now,
        motif.as_str(),
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn list(
    pool: &PgPool,
    user_id: i64,
    present: Uuid,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<SessionOut>> {
    Ok(sqlx::query_as!(
        SessionOut,
        r#"
            select s.id, s.created_at, s.last_used_at, s.expires_at, s.adresse as adresse_ip, s.user_agent, s.id = $2 as "actuelle!"
            from sessions s
            join users u on u.id = s.user_id and u.token_version = s.token_version
            where s.user_id = $1 and s.revoked_at is null and s.expires_at > $4
            order by s.last_used_at desc, s.id
            limit $3
        "#,
        user_id,
        present,
        limit,
        now,
    )
    .fetch_all(pool)
    .await?)
}

/// What a request must know of its caller.
pub(super) struct Found {
    pub role: UserRole,
    pub client_id: Option<i64>,
    pub is_active: bool,
    pub client_actif: bool,
    /// Whether there is a confirmed second factor.
    pub second_facteur: bool,
    /// When the session ends by itself; `None` if it has ended, or belongs to somebody else.
    pub lives_until: Option<DateTime<Utc>>,
}

/// The user `user_id` and their session `sid`, in one statement.
pub(super) async fn find_caller(
    db: impl PgExecutor<'_>,
    sid: Uuid,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<Option<Found>> {
    Ok(sqlx::query_as!(
        Found,
        r#"
            select u.role as "role: UserRole", u.client_id, u.is_active, coalesce(c.is_active, true) as "client_actif!",
                   f.confirme_le is not null as "second_facteur!", s.expires_at as "lives_until?"
            from users u
            left join clients c on c.id = u.client_id
            left join seconds_facteurs f on f.user_id = u.id
            left join sessions s on s.id = $1 and s.user_id = u.id and s.revoked_at is null and s.expires_at > $3
                and s.token_version = u.token_version
            where u.id = $2
        "#,
        sid,
        user_id,
        now,
    )
    .fetch_optional(db)
    .await?)
}

/// Removes up to `limit` sessions that expired before `before`.
pub(super) async fn purge_sessions(
    db: impl PgExecutor<'_>,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from sessions
            where id in (select id from sessions where expires_at < $1 order by expires_at limit $2)
        "#,
        before,
        limit,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}

/// Removes up to `limit` expired refresh tokens of earlier versions.
pub(super) async fn purge_tokens(
    db: impl PgExecutor<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from refresh_tokens
            where id in (select id from refresh_tokens where expires_at < $1 order by expires_at limit $2)
        "#,
        now,
        limit,
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected())
}

/// Whether any device of user `user_id` is known.
pub(super) async fn has_devices(tx: &mut PgConnection, user_id: i64) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from appareils where user_id = $1) as "it!""#,
        user_id
    );
    Ok(found.fetch_one(tx).await?)
}

/// Records that a device was seen; returns whether it is new.
pub(super) async fn see_device(
    tx: &mut PgConnection,
    user_id: i64,
    empreinte: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let is_new = sqlx::query_scalar!(
        r#"
            insert into appareils (user_id, empreinte, vu_le) values ($1, $2, $3)
            on conflict (user_id, empreinte) do update set vu_le = excluded.vu_le
            returning xmax = 0 as "is_new!"
        "#,
        user_id,
        empreinte,
        now,
    );
    Ok(is_new.fetch_one(tx).await?)
}

pub(super) async fn purge_devices(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from appareils
            where (user_id, empreinte) in (
                select user_id, empreinte from appareils a
                where vu_le < $1
                  and exists (select from appareils o where o.user_id = a.user_id and (o.vu_le, o.empreinte) > (a.vu_le, a.empreinte))
                order by vu_le limit $2)
        "#,
        before,
        limit,
    );
    Ok(gone.execute(tx).await?.rows_affected())
}
