//! What the database knows of queues, workers and schedules.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use erp_core::{
    Result,
    catalogue::QUEUES,
    operate::{
        self, QueueOut, WorkerOut,
        breakers::{self, BreakerOut},
    },
    schedules::{self, Schedule},
};
use sqlx::PgPool;

use super::Finding;

/// Seconds. A ready job normally waits for seconds; minutes mean too few workers, or none.
const LONG_READY: f64 = 300.0;
/// How late a schedule may be: its tick is normally enqueued within seconds.
const LATE: TimeDelta = TimeDelta::minutes(5);

pub(super) async fn queues(pool: &PgPool) -> Finding {
    judged(operate::queues(pool).await, |queues| of_queues(&queues))
}

fn of_queues(queues: &[QueueOut]) -> Finding {
    let names = |some: &dyn Fn(&QueueOut) -> bool| {
        queues.iter().filter(|q| some(q)).map(|q| q.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    let oldest = |q: &QueueOut| q.oldest_ready_seconds.unwrap_or_default();
    let stuck = names(&|q| !q.paused && oldest(q) > LONG_READY);
    if !stuck.is_empty() {
        let longest = queues.iter().filter(|q| !q.paused).map(oldest).fold(0.0, f64::max);
        return Finding::bad(
            format!("des tâches prêtes attendent depuis {longest:.0} s : {stuck}"),
            "lancez des workers (WORKER_QUEUES vide, ou avec ces files), ou davantage",
        );
    }
    let (dead, paused) = (names(&|q| q.dead > 0), names(&|q| q.paused));
    if !dead.is_empty() {
        let count: i64 = queues.iter().map(|q| q.dead).sum();
        return Finding::attention(
            format!("{count} tâches mortes : {dead}"),
            "voyez pourquoi dans GET /api/v1/admin/jobs?state=dead, puis relancez-les (docs/jobs.md)",
        );
    }
    if !paused.is_empty() {
        return Finding::attention(
            format!("en pause : {paused}"),
            "POST /api/v1/admin/queues/<file>/resume quand la raison en est passée",
        );
    }
    let ready: i64 = queues.iter().map(|q| q.ready).sum();
    let oldest = queues.iter().map(oldest).fold(0.0, f64::max);
    Finding::good(format!(
        "{ready} tâches prêtes, la plus ancienne depuis {oldest:.0} s, aucune morte"
    ))
}

pub(super) async fn breakers(pool: &PgPool) -> Finding {
    judged(breakers::list(pool).await, |breakers| of_breakers(&breakers))
}

fn of_breakers(breakers: &[BreakerOut]) -> Finding {
    let open: Vec<_> = breakers.iter().filter(|breaker| breaker.open).collect();
    if open.is_empty() {
        return Finding::good("fermés : rien n'attend un service du dehors");
    }
    let said = open.iter().map(|breaker| {
        let since = breaker
            .open_since
            .map(|since| format!(" depuis {}", since.format("%Y-%m-%d %H:%M UTC")));
        let error = breaker.last_error.as_deref().unwrap_or_default();
        let waiting = breaker.queues.join(", ");
        format!(
            "{}{} ({error}) ; attendent : {waiting}",
            breaker.dependency,
            since.unwrap_or_default()
        )
    });
    Finding::bad(
        format!("ouverts : {}", said.collect::<Vec<_>>().join(" ; ")),
        "remettez ce service en marche : les tâches repartent d'elles-mêmes en moins de 15 s",
    )
}

pub(super) async fn workers(pool: &PgPool, rescue_after: Duration) -> Finding {
    let now = match now(pool).await {
        Ok(now) => now,
        Err(error) => return Finding::bad(format!("{error}"), "recommencez"),
    };
    let silent = TimeDelta::from_std(rescue_after).unwrap_or(TimeDelta::minutes(1));
    judged(operate::workers(pool).await, |workers| of_workers(&workers, now - silent))
}

fn of_workers(workers: &[WorkerOut], since: DateTime<Utc>) -> Finding {
    let heard: Vec<_> = workers.iter().filter(|w| w.last_seen >= since).collect();
    if heard.is_empty() {
        return Finding::bad(
            "aucun worker ne se fait entendre",
            "lancez erp-worker run, et lisez son journal",
        );
    }
    let served = |queue: &str| heard.iter().any(|w| w.queues.iter().any(|q| q == queue));
    let idle: Vec<_> = QUEUES.iter().filter(|queue| !served(queue)).copied().collect();
    if !idle.is_empty() {
        let found = format!("personne ne sert {}", idle.join(", "));
        return Finding::bad(found, "lancez un worker sans WORKER_QUEUES, ou ajoutez-y ces files");
    }
    let running: i64 = heard.iter().map(|w| w.running).sum();
    Finding::good(format!("{} à l'écoute, {running} tâches en cours", heard.len()))
}

pub(super) async fn schedules(pool: &PgPool) -> Finding {
    let now = match now(pool).await {
        Ok(now) => now,
        Err(error) => return Finding::bad(format!("{error}"), "recommencez"),
    };
    judged(schedules::list(pool).await, |all| of_schedules(&all, now))
}

fn of_schedules(all: &[Schedule], now: DateTime<Utc>) -> Finding {
    let ours: Vec<_> = all.iter().filter(|s| schedules::is_known(&s.name)).collect();
    let names = |some: &dyn Fn(&Schedule) -> bool| {
        ours.iter().filter(|s| some(s)).map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    // A schedule without a next date has not been looked at by any worker.
    let late = names(&|s| s.enabled && s.next_run_at.is_none_or(|next| next < now - LATE));
    if !late.is_empty() {
        return Finding::bad(
            format!("en retard : {late}"),
            "lancez un worker avec ENABLE_SCHEDULER=true",
        );
    }
    let disabled = names(&|s| !s.enabled);
    if !disabled.is_empty() {
        return Finding::attention(
            format!("désactivées : {disabled}"),
            "PUT /api/v1/admin/schedules/<nom> les réactive, si ce n'est pas voulu",
        );
    }
    Finding::good(format!("{} actives, aucune en retard", ours.len()))
}

async fn now(pool: &PgPool) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(pool).await?)
}

fn judged<T>(found: Result<T>, judge: impl FnOnce(T) -> Finding) -> Finding {
    match found {
        Ok(found) => judge(found),
        Err(error) => Finding::bad(
            format!("{error}"),
            "recommencez ; si cela dure, voyez le journal de Postgres",
        ),
    }
}
