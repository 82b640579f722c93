//! Checks of the database, its schema and its clock, and of what it knows of jobs when it can be asked.
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::time::timeout;

use super::{Check, Finding, LIMIT, Tell, error, hours, jobs, within};
use crate::{
    Clock, Config, Text,
    migrate::{self, MigrationState},
};

/// The greatest good difference of two clocks. Tokens and calendars count in minutes; more than ten seconds means that
/// nobody sets the clock.
const SKEW: TimeDelta = TimeDelta::seconds(10);

/// Why a check that needs the database was not made.
pub(super) fn first() -> Finding {
    Finding::skipped("la base d'abord", "the database first")
}

/// Checks the database on a connection of its own.
pub(super) async fn examine(config: &Config, tell: &mut Tell<'_>) {
    let pool = match timeout(LIMIT, connect(config)).await {
        Ok(Ok((pool, said))) => {
            tell(Check::Database, said);
            pool
        }
        failed => {
            let why = match failed {
                Ok(Err(fault)) => error(&fault),
                _ => Finding::late(LIMIT).found().clone(),
            };
            tell(Check::Database, away(config, &why));
            for check in Check::OF_DATABASE {
                tell(check, first());
            }
            return;
        }
    };
    examine_open(&pool, config, LIMIT, tell).await;
    // A pool that does not close in time is closed by the end of the process.
    let _ = timeout(Duration::from_secs(1), pool.close()).await;
}

/// Checks what a database that answers knows, each in `limit`.
pub(super) async fn examine_open(
    pool: &PgPool,
    config: &Config,
    limit: Duration,
    tell: &mut Tell<'_>,
) {
    let schema = timeout(limit, schema(pool)).await.unwrap_or_else(|_| {
        Finding::bad(
            Text::new("pas de réponse à temps", "no answer in time"),
            Text::new(
                "la base est peut-être en train de migrer : recommencez",
                "the database may be migrating: try again",
            ),
        )
    });
    let is_good = !matches!(schema, Finding::Bad { .. });
    tell(Check::Schema, schema);
    if is_good {
        tell(Check::Queues, within(limit, jobs::queues(pool)).await);
        tell(Check::Breakers, within(limit, jobs::breakers(pool)).await);
        let rescue_after = config.worker.rescue_after;
        tell(Check::Workers, within(limit, jobs::workers(pool, rescue_after)).await);
        tell(Check::Schedules, within(limit, jobs::schedules(pool)).await);
        tell(Check::TimeZones, within(limit, hours::examine(pool)).await);
    } else {
        for check in Check::OF_SCHEMA {
            tell(check, Finding::skipped("le schéma d'abord", "the schema first"));
        }
    }
    tell(Check::Clock, within(limit, clock(pool)).await);
}

fn away(config: &Config, why: &Text) -> Finding {
    let place = config.database.place();
    Finding::bad(
        Text::new(format!("{place} : {}", why.fr), format!("{place}: {}", why.en)),
        Text::new(
            "vérifiez que Postgres est lancé, et DATABASE_URL ou les variables POSTGRES_",
            "check that Postgres runs, and DATABASE_URL or the variables POSTGRES_",
        ),
    )
}

async fn connect(config: &Config) -> Result<(PgPool, Finding), sqlx::Error> {
    let started = Instant::now();
    // Without the pool first, which would retry until the time is up, and then not say why it failed.
    PgConnection::connect(config.database.url.reveal()).await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(LIMIT)
        .connect(config.database.url.reveal())
        .await?;
    let said = answered(&pool, config, started).await?;
    Ok((pool, said))
}

/// Whether the database answers on `pool`.
pub(super) async fn version(pool: &PgPool, config: &Config) -> Finding {
    match answered(pool, config, Instant::now()).await {
        Ok(said) => said,
        Err(fault) => away(config, &error(&fault)),
    }
}

async fn answered(
    pool: &PgPool,
    config: &Config,
    started: Instant,
) -> Result<Finding, sqlx::Error> {
    let version = sqlx::query_scalar!(r#"select current_setting('server_version') as "version!""#)
        .fetch_one(pool)
        .await?;
    let (place, ms) = (config.database.place(), started.elapsed().as_millis());
    Ok(Finding::good(
        format!("PostgreSQL {version}, {place} en {ms} ms"),
        format!("PostgreSQL {version}, {place} in {ms} ms"),
    ))
}

async fn schema(pool: &PgPool) -> Finding {
    let todo = Text::new(
        "erp-api migrate up (migrate status montre chacune)",
        "erp-api migrate up (migrate status shows each)",
    );
    let all = match migrate::migrations(pool).await {
        Ok(all) => all,
        Err(fault) => return Finding::bad(error(&fault), todo),
    };
    let count = |state| all.iter().filter(|m| m.state == state).count();
    let (pending, newer) = (count(MigrationState::Pending), count(MigrationState::Unknown));
    if let Some(wrong) =
        all.iter().find(|m| matches!(m.state, MigrationState::Changed | MigrationState::Dirty))
    {
        let version = wrong.version;
        return Finding::bad(
            Text::new(
                format!("la migration {version} n'est pas celle de ce programme, ou est inachevée"),
                format!("migration {version} is not the one of this program, or is unfinished"),
            ),
            Text::new(
                "vérifiez quelle version du programme a migré cette base (erp-api migrate status)",
                "check which version of the program has migrated this database (erp-api migrate status)",
            ),
        );
    }
    if pending > 0 {
        let found = Text::new(
            format!("{pending} migrations manquent"),
            format!("{pending} migrations are missing"),
        );
        return Finding::bad(found, todo);
    }
    let (fr, en) = if newer > 0 {
        (format!(", et {newer} plus récentes"), format!(", and {newer} newer ones"))
    } else {
        (String::new(), String::new())
    };
    let known = all.len() - newer;
    Finding::good(format!("{known} migrations{fr}"), format!("{known} migrations{en}"))
}

/// Compares our clock with that of the database, to within half the time that the query took.
async fn clock(pool: &PgPool) -> Finding {
    let clock = Clock::default();
    let before = clock.now();
    let theirs = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(pool).await;
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(fault) => {
            return Finding::bad(error(&fault), Text::new("recommencez", "try again"));
        }
    };
    skew(before + (clock.now() - before) / 2, theirs)
}

fn skew(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Finding {
    let skew = ours - theirs;
    let ms = skew.num_milliseconds();
    let (fr, en) = (format!("{ms} ms d'écart avec la base"), format!("{ms} ms off the database"));
    if skew.abs() <= SKEW {
        Finding::good(fr, en)
    } else {
        Finding::bad(
            Text::new(fr, en),
            Text::new(
                "mettez les deux machines à l'heure (chrony, systemd-timesyncd)",
                "set the clocks of both machines (chrony, systemd-timesyncd)",
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_either_way_is_bad() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for (seconds, good) in [(0, true), (9, true), (-9, true), (11, false), (-3600, false)] {
            let verdict = skew(now + TimeDelta::seconds(seconds), now);
            assert_eq!(matches!(verdict, Finding::Good(_)), good, "{seconds}: {verdict:?}");
        }
    }
}
