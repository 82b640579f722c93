//! Notifications that are due to the passing of time: deadlines of tomorrow, deadlines that have passed, interventions that
//! nobody has taken up. Each step locks a batch of rows, announces them and marks them as announced in one transaction: each is
//! announced once, even if a process dies or a job runs twice.
mod store;

use chrono::{DateTime, Days, TimeDelta, Utc};

use super::{NIVEAUX, sla};
use crate::{
    Result, Text, Tx,
    config::Sla,
    local,
    notifications::{self, Announcement, Event},
};

/// Announces up to `limit` interventions whose deadline has passed; returns how many there were. An intervention is announced
/// once for each deadline, and at most once a day when its deadline is changed.
pub async fn alert_late(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let today = local::start_of(local::day_of(now));
    let late = store::lock_late(tx, now, today, limit).await?;
    for one in &late {
        announce(tx, Event::Retard, one.id, deadline_key("retard", one.date_limite), None, now)
            .await?;
        store::set_late_announced(tx, one.id, one.date_limite, now).await?;
    }
    Ok(late.len())
}

/// Announces up to `limit` interventions whose deadline is on the local day after that of `now`; returns how many there were.
pub async fn remind(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<usize> {
    let (from, to) = local::span_of(local::day_of(now) + Days::new(1));
    let due = store::lock_due_between(tx, from, to, limit).await?;
    for one in &due {
        let cle = deadline_key("rappel", one.date_limite);
        announce(tx, Event::EcheanceDemain, one.id, cle, None, now).await?;
        store::set_reminded(tx, one.id, one.date_limite).await?;
    }
    Ok(due.len())
}

/// Announces up to `limit` interventions that nobody has taken up within their target, or a multiple of it ([`NIVEAUX`]);
/// returns how many there were. Only the highest level reached is announced: levels passed since the last run are skipped.
pub async fn alert_unassigned(
    tx: &mut Tx<'_>,
    targets: Sla,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<usize> {
    let waiting = store::lock_unassigned(tx, &targets, now, limit).await?;
    for one in &waiting {
        let Some(target) = sla::target(&targets, one.priorite, one.urgence) else { continue };
        let elapsed = one.elapsed(now);
        let niveau = sla::niveau(elapsed, target);
        let contenu = Text::new(
            format!(
                "Sans technicien depuis {} (objectif\u{a0}: {}). Niveau {niveau} sur {}.",
                duree(elapsed, 'j'),
                duree(target, 'j'),
                NIVEAUX.len()
            ),
            format!(
                "Without a technician for {} (target: {}). Level {niveau} of {}.",
                duree(elapsed, 'd'),
                duree(target, 'd'),
                NIVEAUX.len()
            ),
        );
        let (event, cle) = (Event::SansTechnicien(niveau), format!("sla:{niveau}"));
        announce(tx, event, one.id, cle, Some(contenu), now).await?;
        store::set_sla_niveau(tx, one.id, niveau).await?;
    }
    Ok(waiting.len())
}

fn deadline_key(what: &str, date_limite: DateTime<Utc>) -> String {
    format!("{what}:{}", date_limite.timestamp_micros())
}

async fn announce(
    tx: &mut Tx<'_>,
    event: Event,
    id: i64,
    cle: String,
    contenu: Option<Text>,
    now: DateTime<Utc>,
) -> Result<()> {
    let cle = format!("intervention:{id}:{cle}");
    let announcement =
        Announcement { event, cle, intervention_id: Some(id), planning_id: None, contenu };
    notifications::announce(tx, &announcement, now).await
}

/// A duration: « 2 h », « 2 h 05 », « 3 j 4 h », where `day` is the letter for days. No-break spaces keep it on one line.
fn duree(delta: TimeDelta, day: char) -> String {
    let (days, hours, minutes) =
        (delta.num_days(), delta.num_hours() % 24, delta.num_minutes() % 60);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes}\u{a0}min"),
        (0, hours, 0) => format!("{hours}\u{a0}h"),
        (0, hours, minutes) => format!("{hours}\u{a0}h\u{a0}{minutes:02}"),
        (days, 0, _) => format!("{days}\u{a0}{day}"),
        (days, hours, _) => format!("{days}\u{a0}{day}\u{a0}{hours}\u{a0}h"),
    }
}
