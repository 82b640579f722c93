//! SQL of `invitations`.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor, PgPool, Postgres, QueryBuilder};

use super::{Invitation, SORTABLE};
use crate::{
    Error, Noun, Result,
    page::{self, Listed, Page},
    users::UserRole,
};

const JOINS: &str = "join users u on u.id = page.id left join users p on p.id = page.invite_par";

/// Writes that `by` invites the owner of account `id`, for the first time or again.
pub(super) async fn insert(
    tx: &mut PgConnection,
    id: i64,
    by: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into invitations (id, invite_par, cree_le, expire_le) values ($1, $2, $3, $3)
            on conflict (id) do update set invite_par = $2
        "#,
        id,
        by,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes when the link of an invitation ends, if there is one.
pub(in crate::accounts) async fn set_end(
    tx: &mut PgConnection,
    id: i64,
    end: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!("update invitations set expire_le = $2 where id = $1", id, end)
        .execute(tx)
        .await?;
    Ok(())
}

/// Gives an account another address; the links to the old one are worthless.
pub(super) async fn set_email(
    tx: &mut PgConnection,
    id: i64,
    email: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update users set email = $2, token_version = token_version + 1, updated_at = $3 where id = $1",
        id,
        email,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Ends the invitation of account `id`, if there is one.
pub(in crate::accounts) async fn forget(tx: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query!("delete from invitations where id = $1", id).execute(tx).await?;
    Ok(())
}

/// When the link of the owner of account `id` ends, who is invited and has no password yet; `None` for anybody else.
pub(in crate::accounts) async fn end(
    tx: &mut PgConnection,
    id: i64,
) -> Result<Option<DateTime<Utc>>> {
    let found = sqlx::query_scalar!(
        r#"
            select i.expire_le from invitations i join users u on u.id = i.id
            where i.id = $1 and u.is_active and u.password_hash = ''
        "#,
        id,
    );
    Ok(found.fetch_optional(tx).await?)
}

/// The name of who invites the owner of account `id`; `None` if nobody does any more.
pub async fn inviter(db: impl PgExecutor<'_>, id: i64) -> Result<Option<String>> {
    let found = sqlx::query_scalar!(
        "select p.full_name from invitations i join users p on p.id = i.invite_par where i.id = $1",
        id,
    );
    Ok(found.fetch_optional(db).await?)
}

pub(super) async fn find(tx: &mut PgConnection, id: i64, roles: &[UserRole]) -> Result<Invitation> {
    let found = sqlx::query_as!(
        Invitation,
        r#"
            select i.id, u.username, u.full_name, u.email, u.role as "role: UserRole", u.client_id, u.langue as "langue: _",
                   i.invite_par, p.full_name as "invite_par_nom?", i.cree_le, i.expire_le
            from invitations i join users u on u.id = i.id left join users p on p.id = i.invite_par
            where i.id = $1 and u.role = any ($2) and u.is_active and u.password_hash = ''
        "#,
        id,
        roles as _,
    );
    found.fetch_optional(tx).await?.ok_or(Error::NotFound(Noun::INVITATION))
}

pub(super) async fn list(
    pool: &PgPool,
    page: &Page,
    roles: &[UserRole],
) -> Result<Listed<Invitation>> {
    page::list_joined(
        pool,
        "invitations",
        JOINS,
        SORTABLE,
        page,
        |query: &mut QueryBuilder<Postgres>| {
            query.push(
                " where exists (select from users u where u.id = invitations.id
                    and u.is_active and u.password_hash = '' and u.role = any (",
            );
            query.push_bind(roles.to_vec()).push("))");
        },
    )
    .await
}
