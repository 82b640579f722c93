//! SQL of `identites`.
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Result, oidc::Identity};

/// The user whom the provider calls so.
pub(super) async fn owner(tx: &mut PgConnection, identity: &Identity) -> Result<Option<i64>> {
    let found = sqlx::query_scalar!(
        "select user_id from identites where emetteur = $1 and sujet = $2",
        identity.issuer,
        identity.sub,
    );
    Ok(found.fetch_optional(tx).await?)
}

/// Writes who user `user_id` is; returns false, and changes nothing, if they are somebody else there, or somebody else is that.
pub(super) async fn insert(
    tx: &mut PgConnection,
    identity: &Identity,
    user_id: i64,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into identites (emetteur, sujet, user_id, cree_le) values ($1, $2, $3, $4) on conflict do nothing",
        identity.issuer,
        identity.sub,
        user_id,
        now,
    );
    Ok(done.execute(tx).await?.rows_affected() == 1)
}

/// Whether user `user_id` has signed in at a provider.
pub(in crate::accounts) async fn has_one(tx: &mut PgConnection, user_id: i64) -> Result<bool> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from identites where user_id = $1) as "it!""#,
        user_id
    );
    Ok(found.fetch_one(tx).await?)
}

/// Forgets who user `user_id` is; returns whether that was known.
pub(in crate::accounts) async fn forget(tx: &mut PgConnection, user_id: i64) -> Result<bool> {
    let gone = sqlx::query!("delete from identites where user_id = $1", user_id);
    Ok(gone.execute(tx).await?.rows_affected() > 0)
}
