//! An even pace over all workers: each transmission reserves its moment in one row, by the database's clock.
//!
//! This is the [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm) without a burst.
//! Crates for it (governor) keep their state in one process.
use std::time::Duration;

use sqlx::PgPool;

use crate::Result;

/// The longest wait that is reserved. Whoever would wait longer comes again.
pub const LONGEST: Duration = Duration::from_mins(5);

/// A moment in the order of those who ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is the caller's, after this wait; nobody else has it.
    In(Duration),
    /// Nothing is reserved; to be asked again after about so long.
    NotBefore(Duration),
}

/// Reserves the next moment of pace `name` with `per_minute` of them in a minute, evenly: in any minute one more at the most.
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
