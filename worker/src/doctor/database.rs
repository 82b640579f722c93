//! Checks of the database, its schema and its clock, and of what it knows of jobs when it can be asked.
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Clock, Config,
    migrate::{self, MigrationState},
};
use sqlx::{Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::time::timeout;

use super::{Finding, LIMIT, Report, hours, jobs};

/// The greatest good difference of two clocks. Tokens and calendars count in minutes; more than ten seconds means that
/// nobody sets the clock.
const SKEW: TimeDelta = TimeDelta::seconds(10);
const AWAY: &str = "la base d'abord";
const BEHIND: &str = "le schéma d'abord";

pub(super) async fn examine(config: &Config, report: &mut Report) {
    let pool = match timeout(LIMIT, connect(config)).await {
        Ok(Ok((pool, said))) => {
            report.line("base", &Finding::good(said));
            pool
        }
        failed => {
            let why = match failed {
                Ok(Err(error)) => format!("{error}"),
                _ => format!("pas de réponse en {} s", LIMIT.as_secs()),
            };
            let found = format!("{} : {why}", config.database.place());
            let todo =
                "vérifiez que Postgres est lancé, et DATABASE_URL ou les variables POSTGRES_";
            report.line("base", &Finding::bad(found, todo));
            for name in [
                "schéma",
                "files",
                "disjoncteurs",
                "workers",
                "planifications",
                "fuseaux",
                "horloge",
            ] {
                report.line(name, &Finding::Skipped(AWAY));
            }
            return;
        }
    };
    let schema = timeout(LIMIT, schema(&pool)).await.unwrap_or_else(|_| {
        Finding::bad(
            "pas de réponse à temps",
            "la base est peut-être en train de migrer : recommencez",
        )
    });
    report.line("schéma", &schema);
    if matches!(schema, Finding::Bad { .. }) {
        for name in ["files", "disjoncteurs", "workers", "planifications", "fuseaux"] {
            report.line(name, &Finding::Skipped(BEHIND));
        }
    } else {
        report.check("files", LIMIT, jobs::queues(&pool)).await;
        report.check("disjoncteurs", LIMIT, jobs::breakers(&pool)).await;
        report.check("workers", LIMIT, jobs::workers(&pool, config.worker.rescue_after)).await;
        report.check("planifications", LIMIT, jobs::schedules(&pool)).await;
        report.check("fuseaux", LIMIT, hours::examine(&pool)).await;
    }
    report.check("horloge", LIMIT, clock(&pool)).await;
    // A pool that does not close in time is closed by the end of the process.
    let _ = timeout(Duration::from_secs(1), pool.close()).await;
}

async fn connect(config: &Config) -> Result<(PgPool, String), sqlx::Error> {
    let started = Instant::now();
    // Without the pool first, which would retry until the time is up, and then not say why it failed.
    PgConnection::connect(config.database.url.reveal()).await?.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(LIMIT)
        .connect(config.database.url.reveal())
        .await?;
    let version = sqlx::query_scalar!(r#"select current_setting('server_version') as "version!""#)
        .fetch_one(&pool)
        .await?;
    let ms = started.elapsed().as_millis();
    Ok((pool, format!("PostgreSQL {version}, {} en {ms} ms", config.database.place())))
}

async fn schema(pool: &PgPool) -> Finding {
    const TODO: &str = "erp-api migrate up (migrate status montre chacune)";
    let all = match migrate::migrations(pool).await {
        Ok(all) => all,
        Err(error) => return Finding::bad(format!("{error}"), TODO),
    };
    let count = |state| all.iter().filter(|m| m.state == state).count();
    let (pending, newer) = (count(MigrationState::Pending), count(MigrationState::Unknown));
    if let Some(wrong) =
        all.iter().find(|m| matches!(m.state, MigrationState::Changed | MigrationState::Dirty))
    {
        return Finding::bad(
            format!(
                "la migration {} n'est pas celle de ce programme, ou est inachevée",
                wrong.version
            ),
            "vérifiez quelle version du programme a migré cette base (erp-api migrate status)",
        );
    }
    if pending > 0 {
        return Finding::bad(format!("{pending} migrations manquent"), TODO);
    }
    let plus = if newer > 0 { format!(", et {newer} plus récentes") } else { String::new() };
    Finding::good(format!("{} migrations{plus}", all.len() - newer))
}

/// Compares our clock with that of the database, to within half the time that the query took.
async fn clock(pool: &PgPool) -> Finding {
    let clock = Clock::default();
    let before = clock.now();
    let theirs = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(pool).await;
    let theirs = match theirs {
        Ok(theirs) => theirs,
        Err(error) => return Finding::bad(format!("{error}"), "recommencez"),
    };
    skew(before + (clock.now() - before) / 2, theirs)
}

fn skew(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Finding {
    let skew = ours - theirs;
    let found = format!("{} ms d'écart avec la base", skew.num_milliseconds());
    if skew.abs() <= SKEW {
        Finding::good(found)
    } else {
        Finding::bad(found, "mettez les deux machines à l'heure (chrony, systemd-timesyncd)")
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
