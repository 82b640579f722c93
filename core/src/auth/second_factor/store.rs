//! SQL of `seconds_facteurs`, `codes_secours` and `appareils_surs`.
use anyhow::anyhow;
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::types::TrustedDevice;
use crate::{
    Result, Tx,
    auth::Origin,
    keys::{Sealed, Sealing},
    users::Account,
};

/// The row of a second factor.
pub(super) struct Factor {
    user_id: i64,
    secret: Vec<u8>,
    cle: Vec<u8>,
    pub cree_le: DateTime<Utc>,
}

impl Factor {
    pub(super) fn sealed(&self) -> Sealed {
        Sealed { cle: self.cle.clone(), octets: self.secret.clone() }
    }

    /// The secret. An error if neither key opens it: then recovery codes alone are good, until an admin resets it.
    pub(super) fn open(&self, sealing: &Sealing) -> Result<Vec<u8>> {
        let what = || anyhow!("no key opens the second factor of user {}", self.user_id);
        Ok(sealing.open(self.user_id, &self.sealed()).ok_or_else(what)?)
    }
}

pub(super) async fn find(db: impl PgExecutor<'_>, user_id: i64) -> Result<Option<Factor>> {
    let found = sqlx::query_as!(
        Factor,
        "select user_id, secret, cle, cree_le from seconds_facteurs where user_id = $1",
        user_id,
    );
    Ok(found.fetch_optional(db).await?)
}

/// Writes a secret that waits for its first code; replaces one that waits already.
pub(super) async fn insert(
    tx: &mut PgConnection,
    user_id: i64,
    sealed: &Sealed,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into seconds_facteurs as f (user_id, secret, cle, cree_le) values ($1, $2, $3, $4)
            on conflict (user_id) do update set secret = $2, cle = $3, cree_le = $4 where f.confirme_le is null
        "#,
        user_id,
        sealed.octets,
        sealed.cle,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn confirm(
    tx: &mut PgConnection,
    user_id: i64,
    step: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update seconds_facteurs set confirme_le = $2, dernier_pas = $3 where user_id = $1 and confirme_le is null",
        user_id,
        now,
        step,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes the second factor, recovery codes and trusted devices of a user; returns whether there was one in use.
pub(super) async fn delete(tx: &mut PgConnection, user_id: i64) -> Result<bool> {
    let was = sqlx::query_scalar!(
        r#"delete from seconds_facteurs where user_id = $1 returning confirme_le is not null as "it!""#,
        user_id,
    );
    Ok(was.fetch_optional(tx).await?.unwrap_or(false))
}

/// Uses up the code of `step` and those before; returns whether it was good until now. It is one statement: of concurrent ones, on
/// whichever replicas, one finds the step unused. With `renewed`, the secret is stored sealed by the current key.
pub(super) async fn use_step(
    db: impl PgExecutor<'_>,
    account: &Account,
    step: i64,
    renewed: Option<&Sealed>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update seconds_facteurs
            set dernier_pas = $3, secret = coalesce($4, secret), cle = coalesce($5, cle)
            where user_id = $1 and confirme_le = $2 and dernier_pas < $3
        "#,
        account.id,
        account.second_facteur,
        step,
        renewed.map(|sealed| sealed.octets.as_slice()),
        renewed.map(|sealed| sealed.cle.as_slice()),
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Uses up a recovery code; returns whether it was good until now.
pub(super) async fn use_recovery_code(
    db: impl PgExecutor<'_>,
    account: &Account,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update codes_secours set utilise_le = $3
            where user_id = $1 and empreinte = $2 and utilise_le is null
        "#,
        account.id,
        hash,
        now,
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}

pub(super) async fn replace_recovery_codes(
    tx: &mut PgConnection,
    user_id: i64,
    hashes: &[Vec<u8>],
) -> Result<()> {
    sqlx::query!("delete from codes_secours where user_id = $1", user_id).execute(&mut *tx).await?;
    sqlx::query!(
        "insert into codes_secours (user_id, empreinte) select $1, unnest($2::bytea[])",
        user_id,
        hashes,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// How many recovery codes of a user were not used.
pub(super) async fn count_recovery_codes(db: impl PgExecutor<'_>, user_id: i64) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from codes_secours where user_id = $1 and utilise_le is null"#,
        user_id,
    );
    Ok(count.fetch_one(db).await?)
}

/// Seals up to `limit` secrets again that the key before the current one has sealed; returns how many it did.
pub async fn seal_again(tx: &mut Tx<'_>, sealing: &Sealing, limit: i64) -> Result<usize> {
    let (_, Some(previous)) = sealing.names() else { return Ok(0) };
    let old = sqlx::query_as!(
        Factor,
        r#"
            select user_id, secret, cle, cree_le from seconds_facteurs where cle = $1
            order by user_id limit $2 for update skip locked
        "#,
        previous,
        limit,
    );
    let mut done = 0;
    for factor in old.fetch_all(&mut **tx).await? {
        let Ok(secret) = factor.open(sealing) else { continue };
        let sealed = sealing.seal(factor.user_id, &secret)?;
        sqlx::query!(
            "update seconds_facteurs set secret = $2, cle = $3 where user_id = $1",
            factor.user_id,
            sealed.octets,
            sealed.cle,
        )
        .execute(&mut **tx)
        .await?;
        done += 1;
    }
    Ok(done)
}

/// How many secrets neither key has sealed.
pub async fn count_unreadable(db: impl PgExecutor<'_>, sealing: &Sealing) -> Result<i64> {
    let (current, previous) = sealing.names();
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from seconds_facteurs where cle <> $1 and cle is distinct from $2"#,
        current,
        previous,
    );
    Ok(count.fetch_one(db).await?)
}

/// Whether the device whose secret has this hash is one of `account`, and trusted at `now`.
pub(super) async fn is_trusted(
    db: impl PgExecutor<'_>,
    account: &Account,
    hash: &[u8],
    now: DateTime<Utc>,
) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"
            select id from appareils_surs
            where empreinte = $1 and user_id = $2 and token_version = $3 and expire_le > $4
        "#,
        hash,
        account.id,
        account.token_version,
        now,
    );
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Writes a trusted device, from now until its end.
pub(super) async fn insert_device(
    tx: &mut PgConnection,
    account: &Account,
    hash: &[u8],
    origin: &Origin,
    [now, end]: [DateTime<Utc>; 2],
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into appareils_surs (id, user_id, token_version, empreinte, cree_le, expire_le, adresse, user_agent)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
        "#,
        Uuid::now_v7(),
        account.id,
        account.token_version,
        hash,
        now,
        end,
        origin.adresse,
        origin.user_agent,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Forgets the devices of a user beyond the `most` newest.
pub(super) async fn keep_newest(tx: &mut PgConnection, user_id: i64, most: i64) -> Result<()> {
    sqlx::query!(
        r#"
            delete from appareils_surs
            where id in (select id from appareils_surs where user_id = $1 order by cree_le desc, id desc offset $2)
        "#,
        user_id,
        most,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The devices that are trusted at `now`, the newest first.
pub(super) async fn list_devices(
    pool: &PgPool,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<Vec<TrustedDevice>> {
    let found = sqlx::query_as!(
        TrustedDevice,
        r#"
            select id, cree_le, expire_le, adresse as adresse_ip, user_agent from appareils_surs
            where user_id = $1 and token_version = $2 and expire_le > $3
            order by cree_le desc, id desc
        "#,
        account.id,
        account.token_version,
        now,
    );
    Ok(found.fetch_all(pool).await?)
}

pub(super) async fn forget_devices(tx: &mut PgConnection, user_id: i64) -> Result<()> {
    sqlx::query!("delete from appareils_surs where user_id = $1", user_id).execute(tx).await?;
    Ok(())
}

pub(super) async fn purge_devices(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from appareils_surs
            where id in (select id from appareils_surs where expire_le < $1 order by expire_le limit $2)
        "#,
        now,
        limit,
    );
    Ok(gone.execute(tx).await?.rows_affected())
}
