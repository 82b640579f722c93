//! SQL of the `idempotence` table, and nothing else.
use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::{KeptResponse, KeyedRequest};
use crate::Result;

/// The answer to `request`, if it was given after `since`.
pub(super) async fn find(
    db: impl PgExecutor<'_>,
    request: &KeyedRequest,
    since: DateTime<Utc>,
) -> Result<Option<KeptResponse>> {
    let row = sqlx::query!(
        r#"
            select empreinte, statut, corps from idempotence
            where user_id = $1 and route = $2 and cle = $3 and cree_le > $4
        "#,
        request.user_id,
        request.route,
        request.cle,
        since,
    );
    Ok(row.fetch_optional(db).await?.map(|row| KeptResponse {
        empreinte: row.empreinte,
        statut: u16::try_from(row.statut).unwrap_or_default(),
        corps: row.corps,
    }))
}

/// Takes the advisory lock `number` until the transaction ends, unless another one has it; returns whether it was taken.
pub(super) async fn try_lock(tx: &mut PgConnection, number: i64) -> Result<bool> {
    let taken = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock($1) as "taken!""#, number);
    Ok(taken.fetch_one(tx).await?)
}

/// Writes the response to `request`, over an expired one if there is one.
pub(super) async fn put(
    tx: &mut PgConnection,
    request: &KeyedRequest,
    response: &KeptResponse,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into idempotence (user_id, route, cle, empreinte, statut, corps, cree_le)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (user_id, route, cle) do update
            set empreinte = excluded.empreinte, statut = excluded.statut, corps = excluded.corps, cree_le = excluded.cree_le
        "#,
        request.user_id,
        request.route,
        request.cle,
        response.empreinte,
        i16::try_from(response.statut).unwrap_or_default(),
        response.corps,
        now,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Removes responses from before `before`, at most `limit`; returns how many.
pub(super) async fn prune(tx: &mut PgConnection, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let gone = sqlx::query!(
        r#"
            delete from idempotence
            where ctid = any(array(
                select ctid from idempotence where cree_le <= $1 order by cree_le limit $2 for update skip locked))
        "#,
        before,
        limit,
    );
    Ok(gone.execute(tx).await?.rows_affected())
}
