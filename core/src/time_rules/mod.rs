//! Changes of the time zone rules. The database records the release by which its dates were computed, and keeps those rules; a
//! process computes dates by no other rules. A process with newer rules takes them over for all: in one transaction it stores
//! them, and moves every date that means a local hour to the instant of that hour by the new rules. The other processes follow
//! within seconds, and at the latest when they write a date.
mod reports;
mod store;

use std::{collections::HashMap, convert::Infallible, sync::LazyLock, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use tokio::time::timeout;

use crate::{
    Ctx, Result, Tx,
    local::{
        CASABLANCA, Cron, Rules, Version, Zone, in_force,
        rules::{self, raise},
    },
};
use reports::Clocks;

pub use store::Instance;

/// How often a process looks whether the system, or another process, has other rules.
const LOOK: Duration = Duration::from_secs(10);
/// The time limit of one comparison with the database. Moving all dates of a big one takes a while.
const LIMIT: Duration = Duration::from_mins(5);
/// Rows that are read at a time.
const BATCH: i64 = 2000;

/// The name of this process among all that use one database.
static INSTANCE: LazyLock<String> = LazyLock::new(|| {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}", host.trim(), std::process::id())
});

/// To be called before a computed date is written, and before other rows are locked: from then until `tx` ends, the rules in
/// force are those of the database. If this process has newer ones they are taken over in `tx`.
pub async fn in_step(tx: &mut Tx<'_>) -> Result<()> {
    let ours = in_force();
    if store::hold(tx, &ours.version).await? {
        return Ok(());
    }
    let stored = match store::lock(tx).await? {
        Some((version, zones)) => {
            Some(Rules::of_database(version, zones).map_err(anyhow::Error::from)?)
        }
        None => None,
    };
    match stored {
        Some(stored) if stored.version > ours.version => {
            raise(stored);
        }
        // Another process was quicker.
        Some(stored) if stored.version == ours.version => {}
        stored => take_over(tx, stored.as_ref(), &ours).await?,
    }
    Ok(())
}

/// Stores the rules of `zone`, which a schedule now uses, with the others.
pub async fn remember(tx: &mut Tx<'_>, zone: &str) -> Result<()> {
    store::save(tx, &in_force(), &[zone.to_owned()]).await
}

/// Makes `new` the rules of the database instead of `old`, whose row is locked.
async fn take_over(tx: &mut Tx<'_>, old: Option<&Rules>, new: &Rules) -> Result<()> {
    let mut zones = store::zones(&mut **tx).await?;
    if !zones.iter().any(|zone| zone == CASABLANCA) {
        zones.push(CASABLANCA.to_owned());
    }
    let entry = store::insert_entry(tx, old, new, &INSTANCE).await?;
    let (mut schedules, mut plannings, mut deadlines) = (0, 0, 0);
    if let Some(old) = old {
        schedules = move_schedules(tx, entry, old, new).await?;
        let clocks = Clocks { old: old.casablanca().clone(), new: new.casablanca().clone() };
        plannings = move_plannings(tx, entry, &clocks).await?;
        deadlines = move_deadlines(tx, entry, &clocks, &new.version).await?;
    }
    store::set_counts(tx, entry, schedules, plannings, deadlines).await?;
    store::save(tx, new, &zones).await?;
    tracing::warn!(
        former = old.map(|old| old.version.to_string()),
        version = %new.version,
        source = %new.source,
        entry,
        schedules,
        plannings,
        deadlines,
        "the rules of time zones have changed: what was planned keeps its hour on the wall"
    );
    Ok(())
}

async fn move_schedules(tx: &mut Tx<'_>, entry: i64, old: &Rules, new: &Rules) -> Result<usize> {
    let now = store::now(tx).await?;
    let mut moved = 0;
    for schedule in apalis_hot::schedules::lock_all(tx).await? {
        // A schedule with an invalid expression or zone is reported where it comes due.
        let (Ok(cron), Some(zone)) = (Cron::parse(&schedule.cron), new.zone(&schedule.timezone))
        else {
            continue;
        };
        let clocks = Clocks { old: former_zone(old, &schedule.timezone, &zone), new: zone };
        let Some(before) = schedule.next_run_at else { continue };
        match clocks.tick(&cron, schedule.last_run_at, before, now) {
            Some(after) if after != before => {
                store::move_schedule(tx, entry, &schedule.name, before, after).await?;
                moved += 1;
            }
            _ => {}
        }
    }
    Ok(moved)
}

/// The zone by the rules of the database; a zone without rules there counts as unchanged.
fn former_zone(old: &Rules, name: &str, new: &Zone) -> Zone {
    old.zone(name).unwrap_or_else(|| new.clone())
}

async fn move_plannings(tx: &mut Tx<'_>, entry: i64, clocks: &Clocks) -> Result<usize> {
    let (mut last, mut moved) = (0, 0);
    loop {
        let rows = store::lock_plannings(tx, last, BATCH).await?;
        let Some(end) = rows.last() else { return Ok(moved) };
        last = end.id;
        let mut batch = store::Moves::default();
        for row in rows {
            let after = clocks.visit(row.prochaine_date, row.heure);
            if after != row.prochaine_date {
                batch.ids.push(row.id);
                batch.before.push(row.prochaine_date);
                batch.after.push(after);
                batch.marks.push(row.rappel_signale.map(|mark| clocks.kept(mark)));
            }
        }
        moved += batch.ids.len();
        if !batch.ids.is_empty() {
            store::move_plannings(tx, entry, &batch).await?;
        }
    }
}

async fn move_deadlines(
    tx: &mut Tx<'_>,
    entry: i64,
    clocks: &Clocks,
    version: &Version,
) -> Result<usize> {
    let remarque = format!(
        "Échéance gardée à la fin du même jour : les règles de l'heure légale ont changé ({version})."
    );
    let (mut last, mut moved) = (0, 0);
    loop {
        let rows = store::deadlines(tx, last, BATCH).await?;
        let Some(end) = rows.last() else { return Ok(moved) };
        last = end.id;
        let mut batch = store::Moves::default();
        for row in rows {
            let Some(after) = clocks.deadline(row.date_limite) else { continue };
            if after != row.date_limite {
                // What was announced for this deadline also counts as announced for the moved one.
                let kept = |mark: DateTime<Utc>| if mark == row.date_limite { after } else { mark };
                batch.ids.push(row.id);
                batch.before.push(row.date_limite);
                batch.after.push(after);
                batch.marks.push(row.rappel_signale.map(kept));
                batch.late_marks.push(row.retard_signale.map(kept));
            }
        }
        if !batch.ids.is_empty() {
            let done = store::move_deadlines(tx, entry, &batch, &remarque).await?;
            moved += usize::try_from(done).unwrap_or(usize::MAX);
        }
    }
}

/// Never returns: takes up the system's rules when they become newer, stays in step with the database, and records there which
/// releases this process of `program` has.
pub async fn keep(ctx: &Ctx, program: &'static str) -> Infallible {
    let mut seen: Option<Version> = None;
    loop {
        seen = look_at_system(seen.as_ref());
        match timeout(LIMIT, step(ctx, program)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(
                    error = format!("{error:#}"),
                    "the rules of time zones were not compared"
                );
            }
            Err(_) => tracing::warn!("the rules of time zones: the database does not answer"),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Takes up a newer release of the system once it was seen twice, and so is complete: a package manager writes file by file, and
/// takes less than ten seconds.
fn look_at_system(seen: Option<&Version>) -> Option<Version> {
    let version = rules::system_version()?;
    if version > in_force().version && seen == Some(&version) {
        match rules::system() {
            Ok(rules) => {
                raise(rules);
            }
            Err(error) => tracing::warn!(%error, "the system's rules of time zones cannot be used"),
        }
    }
    Some(version)
}

async fn step(ctx: &Ctx, program: &'static str) -> Result<()> {
    let mut tx = ctx.begin().await?;
    in_step(&mut tx).await?;
    let bundle = Rules::bundle().version;
    let system = rules::system().ok().map(|system| system.version);
    let newer = system.iter().max().map_or(&bundle, |system| system.max(&bundle));
    let one = Instance {
        instance: INSTANCE.clone(),
        programme: program.to_owned(),
        version: newer.to_string(),
        systeme: system.as_ref().map(ToString::to_string),
        embarquee: bundle.to_string(),
    };
    store::announce(&mut tx, &one).await?;
    tx.commit().await
}

/// The release by which the database's dates are computed.
pub async fn version(db: impl PgExecutor<'_>) -> Result<Option<Version>> {
    Ok(store::version(db).await?.and_then(|version| Version::parse(&version)))
}

/// The processes that were seen within the last three minutes.
pub async fn instances(db: impl PgExecutor<'_>) -> Result<Vec<Instance>> {
    store::instances(db).await
}

/// The release that Postgres seems to have, found by comparing its clock for Morocco over the years: that of `rules`, those of
/// the database, one that was in force before, or none of these. Nothing here depends on it.
pub async fn of_postgres(pool: &sqlx::PgPool, rules: &Rules) -> Result<Option<Version>> {
    let begin = DateTime::from_timestamp(1_700_000_000, 0).unwrap_or_default();
    let times: Vec<_> = (0..500).map(|n| begin + TimeDelta::days(10 * n)).collect();
    let theirs = store::offsets_of_postgres(pool, &times).await?;
    let like = |zone: &Zone| {
        times.iter().map(|t| zone.offset(*t).local_minus_utc()).eq(theirs.iter().copied())
    };
    if like(rules.casablanca()) {
        return Ok(Some(rules.version.clone()));
    }
    let known = store::all(pool).await?.into_iter().filter_map(|(version, tzif)| {
        let zones = HashMap::from([(CASABLANCA.to_owned(), tzif)]);
        Rules::of_database(Version::parse(&version)?, zones).ok()
    });
    Ok(known.into_iter().find(|rules| like(rules.casablanca())).map(|rules| rules.version))
}
