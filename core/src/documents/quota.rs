//! How much one user may upload in a day, of the clock in Morocco.
use chrono::{DateTime, Days, NaiveDate, Utc};
use sqlx::PgExecutor;

use crate::{Error, Result, Text, Tx, local};

/// Refuses a user whose day is full, before anything is read of what they send. `count` has the last word.
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

/// Counts an upload of `octets`, unless it is more than the day has room for. The row is locked until `tx` ends: of uploads
/// that come at once each sees what the others have taken.
pub(super) async fn count(
    tx: &mut Tx<'_>,
    user_id: i64,
    octets: i64,
    quota_mib: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    let jour = local::day_of(now);
    // Counted without a limit, too: one that is set later in the day knows what came before it.
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

fn bytes(mib: u32) -> i64 {
    i64::from(mib) * 1024 * 1024
}

fn exceeded(quota_mib: u32, jour: NaiveDate, now: DateTime<Utc>) -> Error {
    let left = (local::start_of(jour + Days::new(1)) - now).num_seconds();
    Error::TooMany {
        code: "quota_depots_atteint",
        text: Text::new(
            format!("Vous avez déposé {quota_mib} Mio aujourd'hui, le maximum : revenez demain."),
            format!(
                "You have uploaded {quota_mib} MiB today, the most allowed: come back tomorrow."
            ),
        ),
        retry_after_seconds: u64::try_from(left).unwrap_or_default() + 1,
    }
}
