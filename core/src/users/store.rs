//! SQL of the `users` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, QueryBuilder};

use super::{Account, NewUser, PasswordHash, SORTABLE, UserOut, UserRole};
use crate::{
    Error, Lang, Noun, Result, Tx,
    page::{Columns as _, Listed, Page},
};

/// The columns of [`UserOut`] in a statement that joins `table`, for readers who are neither that person nor an admin: without
/// the last sign-in.
#[must_use]
pub(crate) fn columns_for_others(table: &'static str) -> String {
    let column = |name: &str| match name {
        "last_login" => "null::timestamptz as last_login".to_owned(),
        name => format!("{table}.{name}"),
    };
    UserOut::OWN.split(", ").map(column).collect::<Vec<_>>().join(", ")
}

macro_rules! query_users {
    ($rest:literal, $argument:expr) => {
        sqlx::query_as!(
            UserOut,
            r#"
                select id, username, full_name, email, role as "role: UserRole", is_active, langue as "langue: Lang",
                       created_at, updated_at, last_login, version
                from users
            "# + $rest,
            $argument,
        )
    };
}

/// `query_as!` of what authentication needs to know.
macro_rules! query_accounts {
    ($rest:literal, $argument:expr) => {
        sqlx::query_as!(
            Account,
            r#"
                select u.id, u.email, u.role as "role: UserRole", u.client_id, u.is_active,
                       coalesce(c.is_active, true) as "client_actif!", u.token_version,
                       u.password_hash as "password_hash: PasswordHash", f.confirme_le as "second_facteur?"
                from users u
                left join clients c on c.id = u.client_id
                left join seconds_facteurs f on f.user_id = u.id
            "#
                + $rest,
            $argument,
        )
    };
}

pub async fn find(db: impl PgExecutor<'_>, id: i64) -> Result<UserOut> {
    let found = query_users!("where id = $1", id).fetch_optional(db).await?;
    found.ok_or(Error::NotFound(Noun::USER))
}

/// The account `id`, locked until the transaction ends.
pub async fn find_for_update(tx: &mut PgConnection, id: i64) -> Result<UserOut> {
    let found = query_users!("where id = $1 for no key update", id).fetch_optional(tx).await?;
    found.ok_or(Error::NotFound(Noun::USER))
}

/// What authentication needs to know of account `id`.
pub async fn find_account(db: impl PgExecutor<'_>, id: i64) -> Result<Option<Account>> {
    Ok(query_accounts!("where u.id = $1", id).fetch_optional(db).await?)
}

/// The same, locked: until the transaction ends, no other one opens, exchanges or ends a session of the account, since all of
/// them call this first.
pub async fn hold(tx: &mut PgConnection, id: i64) -> Result<Option<Account>> {
    // The lock first: the statement after it sees what the previous holder of the lock has committed.
    sqlx::query!("select id from users where id = $1 for no key update", id)
        .fetch_optional(&mut *tx)
        .await?;
    find_account(tx, id).await
}

/// The account that someone signs in to, by its username or its e-mail address, in any case.
/// A username that is someone else's address does not hide that address.
pub async fn find_by_login(db: impl PgExecutor<'_>, login: &str) -> Result<Option<Account>> {
    Ok(query_accounts!(
        r#"
            where lower(u.email) = lower($1) or lower(u.username) = lower($1)
            order by (lower(u.email) = lower($1)) desc
            limit 1
        "#,
        login
    )
    .fetch_optional(db)
    .await?)
}

/// The id of the account with this address, in any case.
pub async fn find_by_email(db: impl PgExecutor<'_>, email: &str) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!("select id from users where lower(email) = lower($1)", email)
        .fetch_optional(db)
        .await?)
}

/// The parameters, as PHC strings begin with them, of hashes with other parameters than ours, for [`super::verify_password`].
pub async fn other_hashes(db: impl PgExecutor<'_>) -> Result<Vec<String>> {
    // By the index `users_autre_hachage_idx`, which is empty when all users have signed in once. At most eight: each one takes
    // time at every sign-in.
    Ok(sqlx::query_scalar!(
        r#"
            select distinct substring(password_hash from '^[$]argon2(?:id|i|d)[$](?:v=[0-9]+[$])?[^$]+') as "params!"
            from users
            where password_hash not like '$argon2id$v=19$m=19456,t=2,p=1$%' and password_hash like '$argon2%'
            order by 1
            limit 8
        "#
    )
    .fetch_all(db)
    .await?)
}

/// Stores a new hash of the same password of `account`, if the stored one is still the one that was verified. Its sessions go on.
pub async fn renew_hash(
    db: impl PgExecutor<'_>,
    account: &Account,
    hash: &PasswordHash,
) -> Result<()> {
    sqlx::query!(
        "update users set password_hash = $3 where id = $1 and password_hash = $2",
        account.id,
        account.password_hash.as_str(),
        hash.as_str(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The accounts, for a reader who sees all fields, or (`apercu`) those of [`super::UserApercu`]: then a field that is not shown
/// cannot be sorted by.
pub async fn list(pool: &PgPool, page: &Page, apercu: bool) -> Result<Listed<UserOut>> {
    let column = |field: &str| match field {
        "username" if apercu => Some("case when role <> 'client' then username end"),
        "email" if apercu => Some("case when role <> 'client' then email end"),
        "created_at" | "updated_at" | "last_login" if apercu => None,
        field => SORTABLE.iter().copied().find(|known| *known == field),
    };
    let mut query = QueryBuilder::new("select ");
    query.push(UserOut::OWN).push(page.place("id", column)).push(" from users where true");
    page.push(&mut query, ("users", "id"), column);
    let (rows, next) = page.fetch(pool, &mut query).await?;
    let total =
        sqlx::query_scalar!(r#"select count(*) as "count!" from users"#).fetch_one(pool).await?;
    Ok(Listed::whole(rows, next, total))
}

pub(super) async fn insert(
    tx: &mut PgConnection,
    new: &NewUser<'_>,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"
            insert into users (username, full_name, email, role, password_hash, client_id, langue, created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $8)
            returning id
        "#,
        new.username,
        new.full_name,
        new.email,
        new.role as UserRole,
        hash.as_str(),
        new.client_id,
        new.langue as Lang,
        now,
    )
    .fetch_one(tx)
    .await
}

pub(super) async fn set_full_name(
    tx: &mut PgConnection,
    id: i64,
    full_name: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update users set full_name = $2, updated_at = $3 where id = $1",
        id,
        full_name,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) async fn set_langue(
    tx: &mut PgConnection,
    id: i64,
    langue: Lang,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update users set langue = $2, updated_at = $3 where id = $1",
        id,
        langue as Lang,
        now
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Stores a new password, and raises the token version, which ends all sessions.
pub(crate) async fn set_password(
    tx: &mut Tx<'_>,
    id: i64,
    hash: &PasswordHash,
    now: DateTime<Utc>,
) -> Result<()> {
    tx.end_access();
    sqlx::query!(
        "update users set password_hash = $2, token_version = token_version + 1, updated_at = $3 where id = $1",
        id,
        hash.as_str(),
        now,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Records a sign-in to account `id`.
pub async fn set_last_login(tx: &mut PgConnection, id: i64, now: DateTime<Utc>) -> Result<()> {
    // A replica whose clock lags behind does not set it back.
    sqlx::query!("update users set last_login = greatest(last_login, $2) where id = $1", id, now)
        .execute(tx)
        .await?;
    Ok(())
}

pub(crate) async fn set_active(
    tx: &mut Tx<'_>,
    id: i64,
    active: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    if !active {
        tx.end_access();
    }
    // Disabling raises the token version: old sessions do not return when the account is enabled again.
    let done = sqlx::query!(
        r#"
            update users
            set is_active = $2, updated_at = $3, token_version = token_version + case when $2 then 0 else 1 end
            where id = $1
        "#,
        id,
        active,
        now
    )
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound(Noun::USER)) }
}
