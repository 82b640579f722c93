//! SQL of `liens_compte`, and of what an admin changes in `users`.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::edit::Fields;
use crate::{
    Code, Error, Lang, Result, Tx, auth, enumeration,
    users::{self, Account, UserRole},
};

enumeration! {
    /// What a link is for.
    Purpose {
        /// A forgotten password.
        Oubli = "oubli",
        /// The first password of somebody who is invited.
        Invitation = "invitation",
        /// The session of somebody who has just accepted an invitation, or comes from the provider of the company.
        Connexion = "connexion",
    }
}

/// A link to be made.
pub(super) struct Link {
    pub id: Uuid,
    pub purpose: Purpose,
    pub end: DateTime<Utc>,
}

/// The advisory lock of those who may take an admin away.
const TURN: i64 = 0x4552_505f_4144_4d49;

/// Waits for every other transaction that may take an admin away. Without this, two transactions at once could each disable one of
/// the last two admins: each would find the other one active.
pub(super) async fn take_turn(tx: &mut Tx<'_>) -> Result<()> {
    sqlx::query!("select pg_advisory_xact_lock($1) as turn", TURN).fetch_one(&mut **tx).await?;
    Ok(())
}

/// Refuses (`Conflict`) to take the admin `id` away if no other is active and has a password. The caller has its turn ([`take_turn`]).
pub(super) async fn keep_an_admin(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    let others = sqlx::query_scalar!(
        r#"select exists (select from users where role = 'admin' and is_active and password_hash <> '' and id <> $1) as "it!""#,
        id,
    );
    if others.fetch_one(&mut **tx).await? {
        return Ok(());
    }
    Err(Error::conflict(
        Code::DernierAdministrateur,
        "C'est le dernier administrateur actif : nommez-en un autre d'abord.",
        "This is the last active administrator: appoint another one first.",
    ))
}

/// Writes what an admin may change. With `ends`, the access tokens and the links that the account was given before are no longer
/// accepted.
pub(super) async fn save(
    tx: &mut Tx<'_>,
    id: i64,
    new: &Fields,
    ends: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
            update users
            set full_name = $2, email = $3, role = $4, client_id = $5, langue = $6, is_active = $7, updated_at = $8,
                token_version = token_version + $9::boolean::integer
            where id = $1
        "#,
        id,
        new.full_name,
        new.email,
        new.role as UserRole,
        new.client_id,
        new.langue as Lang,
        new.is_active,
        now,
        ends,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many links for a forgotten password were made for a user since `since`.
pub(super) async fn count_since(
    tx: &mut PgConnection,
    user_id: i64,
    since: DateTime<Utc>,
) -> Result<i64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from liens_compte where user_id = $1 and cree_le > $2 and genre = $3"#,
        user_id,
        since,
        Purpose::Oubli.as_str(),
    );
    Ok(count.fetch_one(tx).await?)
}

/// When the link for a forgotten password of `account` that is good at `now` ends by itself.
pub(super) async fn last_good(
    tx: &mut PgConnection,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let end = sqlx::query_scalar!(
        r#"
            select max(expire_le) from liens_compte
            where user_id = $1 and token_version = $2 and fini_le is null and expire_le > $3 and genre = $4
        "#,
        account.id,
        account.token_version,
        now,
        Purpose::Oubli.as_str(),
    );
    Ok(end.fetch_one(tx).await?)
}

/// Ends all links of a user.
pub(super) async fn end_all(tx: &mut PgConnection, user_id: i64, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update liens_compte set fini_le = $2 where user_id = $1 and fini_le is null",
        user_id,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends the links of a user for a forgotten password: those of an invitation stay.
pub(super) async fn end_forgotten(
    tx: &mut PgConnection,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update liens_compte set fini_le = $2 where user_id = $1 and fini_le is null and genre = $3",
        user_id,
        now,
        Purpose::Oubli.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes a link for the owner of `account`.
pub(super) async fn insert(
    tx: &mut PgConnection,
    link: &Link,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into liens_compte (id, user_id, token_version, cree_le, expire_le, genre) values ($1, $2, $3, $4, $5, $6)",
        link.id,
        account.id,
        account.token_version,
        now,
        link.end,
        link.purpose.as_str(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The user whose link `id` for this `purpose` is; `None` if it has been used or replaced, its time is over at `now`, or the account may not work.
pub async fn owner(
    db: impl PgExecutor<'_>,
    id: Uuid,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        r#"
            select u.id
            from liens_compte l
            join users u on u.id = l.user_id and u.token_version = l.token_version
            left join clients c on c.id = u.client_id
            where l.id = $1 and l.fini_le is null and l.expire_le > $2 and l.genre = $3
              and u.is_active and coalesce(c.is_active, true)
        "#,
        id,
        now,
        purpose.as_str(),
    )
    .fetch_optional(db)
    .await?)
}

/// Ends the link `id` and returns whose it was, with the account held; `None`, and changes nothing, if it is not good at `now` for
/// this `purpose`.
pub(super) async fn taken(
    tx: &mut Tx<'_>,
    id: Uuid,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<i64>> {
    let Some(owner) = owner(&mut **tx, id, purpose, now).await? else { return Ok(None) };
    // The account first, as everything that ends a session; then the link, which may have been used meanwhile.
    let Some(account) = users::hold(tx, owner).await? else { return Ok(None) };
    let is_good = auth::ensure_may_work(&account).is_ok() && take(tx, id, &account, now).await?;
    Ok(is_good.then_some(account.id))
}

/// Ends a link of `account` that is good at `now`; returns whether it was.
async fn take(
    tx: &mut PgConnection,
    id: Uuid,
    account: &Account,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        r#"
            update liens_compte set fini_le = $2
            where id = $1 and user_id = $3 and token_version = $4 and fini_le is null and expire_le > $2
        "#,
        id,
        now,
        account.id,
        account.token_version,
    );
    Ok(done.execute(tx).await?.rows_affected() == 1)
}

pub(super) async fn purge(
    tx: &mut PgConnection,
    before: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let done = sqlx::query!(
        r#"
            delete from liens_compte
            where id in (select id from liens_compte where expire_le < $1 order by expire_le limit $2)
        "#,
        before,
        limit,
    );
    Ok(usize::try_from(done.execute(tx).await?.rows_affected()).unwrap_or(usize::MAX))
}
