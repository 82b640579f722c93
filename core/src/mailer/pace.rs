//! An even pace of transmissions over all workers: each one reserves its moment in one row, by the database's clock.
//!
//! This is the [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm) without a burst.
//! Crates for it (governor) keep their state in one process.
use std::time::Duration;

use sqlx::{PgExecutor, PgPool};

use crate::Result;

/// The longest wait that is reserved. A caller that would wait longer must ask again.
pub const LONGEST: Duration = Duration::from_mins(5);

/// The paces of mails: before a conversation begins, and before its body is transmitted.
pub const CONVERSATION: &str = "smtp.conversation";
pub const TRANSMISSION: &str = "smtp.transmission";

/// The answer to a request for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A moment after this wait is reserved for the caller alone.
    In(Duration),
    /// Nothing is reserved; the caller should ask again after about this long.
    NotBefore(Duration),
}

/// Reserves the next moment of pace `name`, with `per_minute` of them in a minute, evenly spaced: any minute has at most one
/// more.
pub async fn reserve(pool: &PgPool, name: &str, per_minute: u32) -> Result<Moment> {
    let interval = 60.0 / f64::from(per_minute);
    let moment = sqlx::query_scalar!(
        r#"
            insert into cadences as c (nom, prochain)
            values ($1, clock_timestamp() + make_interval(secs => $2))
            on conflict (nom) do update
                set prochain = greatest(c.prochain, clock_timestamp()) + make_interval(secs => $2)
                where c.prochain <= clock_timestamp() + make_interval(secs => $3)
            -- What was before: this moment.
            returning greatest(0, extract(epoch from prochain - clock_timestamp()) - $2)::float8 as "wait!"
        "#,
        name,
        interval,
        LONGEST.as_secs_f64(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(match moment {
        Some(seconds) => Moment::In(Duration::from_secs_f64(seconds)),
        None => Moment::NotBefore(LONGEST),
    })
}

/// How long it is until the next free moment of pace `name`; nothing where one is free now.
pub async fn wait(db: impl PgExecutor<'_>, name: &str) -> Result<Duration> {
    let seconds = sqlx::query_scalar!(
        r#"select greatest(0, extract(epoch from prochain - clock_timestamp()))::float8 as "wait!" from cadences where nom = $1"#,
        name,
    )
    .fetch_optional(db)
    .await?;
    Ok(Duration::from_secs_f64(seconds.unwrap_or_default()))
}
