//! SQL of the `limites` table, and nothing else.
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgExecutor, PgPool};

use crate::Result;

/// Adds `new` to the counts of `minute`, and returns the sums. Removes counts from more than five minutes before `minute`.
pub(super) async fn add(
    pool: &PgPool,
    minute: DateTime<Utc>,
    new: &[(String, u32)],
) -> Result<Vec<(String, u32)>> {
    // In the same order on all replicas, which would otherwise deadlock.
    let mut new: Vec<_> =
        new.iter().map(|(key, n)| (key.clone(), i32::try_from(*n).unwrap_or(i32::MAX))).collect();
    new.sort();
    let (keys, counts): (Vec<String>, Vec<i32>) = new.into_iter().unzip();
    let sums = sqlx::query!(
        r#"
            with passe as (delete from limites where minute < $4)
            insert into limites as l (minute, cle, requetes)
            select $1, cle, n from unnest($2::text[], $3::integer[]) as u (cle, n)
            on conflict (minute, cle) do update set requetes = l.requetes + excluded.requetes
            returning cle, requetes
        "#,
        minute,
        &keys,
        &counts,
        minute - TimeDelta::minutes(5),
    )
    .fetch_all(pool)
    .await?;
    Ok(sums
        .into_iter()
        .map(|row| (row.cle, u32::try_from(row.requetes).unwrap_or(u32::MAX)))
        .collect())
}

/// The most requests that one caller of each kind (`user`, `addr`, `login`) has made in `minute`.
pub(super) async fn busiest(
    db: impl PgExecutor<'_>,
    minute: DateTime<Utc>,
) -> Result<Vec<(String, i64)>> {
    // A flood has more callers than anybody wants to read.
    let rows = sqlx::query!(
        r#"
            select split_part(cle, ':', 1) as "kind!", max(requetes)::int8 as "most!"
            from (select cle, requetes from limites where minute = $1 limit 10000) counted group by 1
        "#,
        minute,
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.kind, row.most)).collect())
}
