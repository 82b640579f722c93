//! How much one user may upload in a day, by the clock in Morocco.
use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::PgExecutor;

use crate::{Code, Error, Result, Text, Tx, local};

/// Refuses a user who has reached the quota of the day, before anything of the upload is read. The final check is in `count`.
pub async fn ensure_quota(
    db: impl PgExecutor<'_>,
    user_id: i64,
    quota_mib: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    if quota_mib == 0 {
        return Ok(());
    }
    let octets = sqlx::query_scalar!(
        "select octets from depots_du_jour where user_id = $1 and jour = $2",
        user_id,
        local::day_of(now),
    )
    .fetch_optional(db)
    .await?;
    if octets.is_some_and(|octets| octets >= bytes(quota_mib)) {
        Err(exceeded(quota_mib, local::day_of(now), now))
    } else {
        Ok(())
    }
}

/// Counts an upload of `octets`; `TooMany` if it would exceed the quota of the day. The row is locked until `tx` ends, so that
/// each of several concurrent uploads sees what the others have taken.
pub(super) async fn count(
    tx: &mut Tx<'_>,
    user_id: i64,
    octets: i64,
    quota_mib: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    let jour = local::day_of(now);
    // Uploads are counted without a limit, too, so that a limit set later in the day includes them.
    let limit = if quota_mib == 0 { i64::MAX } else { bytes(quota_mib) };
    let counted = sqlx::query_scalar!(
        r#"
            insert into depots_du_jour as d (user_id, jour, octets)
            select $1, $2, $3 where $3 <= $4::bigint
            on conflict (user_id) do update
            -- A clock that lags behind another replica's at midnight begins no day anew.
            set jour = greatest(d.jour, excluded.jour),
                octets = case when d.jour < excluded.jour then 0 else d.octets end + excluded.octets
            where case when d.jour < excluded.jour then 0 else d.octets end <= $4 - excluded.octets
            returning octets
        "#,
        user_id,
        jour,
        octets,
        limit,
    )
    .fetch_optional(&mut **tx)
    .await?;
    counted.map(drop).ok_or_else(|| exceeded(quota_mib, jour, now))
}

/// The bytes of the user who has uploaded the most on the day of `now`.
pub async fn most_uploaded(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> Result<i64> {
    let most = sqlx::query_scalar!(
        r#"select coalesce(max(octets), 0) as "it!" from depots_du_jour where jour = $1"#,
        local::day_of(now),
    );
    Ok(most.fetch_one(db).await?)
}

fn bytes(mib: u32) -> i64 {
    i64::from(mib) * 1024 * 1024
}

fn exceeded(quota_mib: u32, jour: NaiveDate, now: DateTime<Utc>) -> Error {
    let left = (local::start_of(jour + Days::new(1)) - now).num_seconds();
    Error::TooMany {
        code: Code::QuotaDepotsAtteint,
        text: Text::new(
            format!(
                "Ce fichier dépasserait les {quota_mib} Mio que vous pouvez déposer par jour : revenez demain."
            ),
            format!(
                "This file would exceed the {quota_mib} MiB that you can upload in a day: come back tomorrow."
            ),
        ),
        retry_after_seconds: u64::try_from(left).unwrap_or_default() + 1,
    }
}
