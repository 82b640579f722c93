//! What the database knows of queues, workers and schedules.
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::{Finding, error};
use crate::{
    Result, Text,
    catalogue::QUEUES,
    operate::{
        self, QueueOut, WorkerOut,
        breakers::{self, BreakerOut},
    },
    schedules::{self, Schedule},
};

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
            Text::new(
                format!("des tâches prêtes attendent depuis {longest:.0} s : {stuck}"),
                format!("jobs have been ready for {longest:.0} s: {stuck}"),
            ),
            Text::new(
                "lancez des workers (WORKER_QUEUES vide, ou avec ces files), ou davantage",
                "start workers (WORKER_QUEUES empty, or with these queues), or more of them",
            ),
        );
    }
    let (dead, paused) = (names(&|q| q.dead > 0), names(&|q| q.paused));
    if !dead.is_empty() {
        let count: i64 = queues.iter().map(|q| q.dead).sum();
        return Finding::attention(
            Text::new(
                format!("{count} tâches mortes : {dead}"),
                format!("{count} dead jobs: {dead}"),
            ),
            Text::new(
                "voyez pourquoi dans GET /api/v1/admin/jobs?state=dead, puis relancez-les (docs/jobs.md)",
                "see why in GET /api/v1/admin/jobs?state=dead, then run them again (docs/jobs.md)",
            ),
        );
    }
    if !paused.is_empty() {
        return Finding::attention(
            Text::new(format!("en pause : {paused}"), format!("paused: {paused}")),
            Text::new(
                "POST /api/v1/admin/queues/<file>/resume quand la raison en est passée",
                "POST /api/v1/admin/queues/<queue>/resume when the reason is gone",
            ),
        );
    }
    let ready: i64 = queues.iter().map(|q| q.ready).sum();
    let oldest = queues.iter().map(oldest).fold(0.0, f64::max);
    Finding::good(
        format!("{ready} tâches prêtes, la plus ancienne depuis {oldest:.0} s, aucune morte"),
        format!("{ready} jobs ready, the oldest for {oldest:.0} s, none dead"),
    )
}

pub(super) async fn breakers(pool: &PgPool) -> Finding {
    judged(breakers::list(pool).await, |breakers| of_breakers(&breakers))
}

fn of_breakers(breakers: &[BreakerOut]) -> Finding {
    let open: Vec<_> = breakers.iter().filter(|breaker| breaker.open).collect();
    if open.is_empty() {
        return Finding::good(
            "fermés : rien n'attend un service du dehors",
            "closed: nothing waits for a service outside",
        );
    }
    let said = |since: &str, waiting: &str| {
        let one = |breaker: &&BreakerOut| {
            let since =
                breaker.open_since.map(|at| format!("{since}{}", at.format("%Y-%m-%d %H:%M UTC")));
            let error = breaker.last_error.as_deref().unwrap_or_default();
            let queues = breaker.queues.join(", ");
            format!(
                "{}{} ({error}) ; {waiting}{queues}",
                breaker.dependency,
                since.unwrap_or_default()
            )
        };
        open.iter().map(one).collect::<Vec<_>>().join(" ; ")
    };
    Finding::bad(
        Text::new(
            format!("ouverts : {}", said(" depuis ", "attendent : ")),
            format!("open: {}", said(" since ", "waiting: ")),
        ),
        Text::new(
            "remettez ce service en marche : les tâches repartent d'elles-mêmes en moins de 15 s",
            "get this service going again: the jobs go on by themselves within 15 s",
        ),
    )
}

pub(super) async fn workers(pool: &PgPool, rescue_after: Duration) -> Finding {
    let now = match now(pool).await {
        Ok(now) => now,
        Err(fault) => return Finding::bad(error(&fault), Text::new("recommencez", "try again")),
    };
    let silent = TimeDelta::from_std(rescue_after).unwrap_or(TimeDelta::minutes(1));
    judged(operate::workers(pool).await, |workers| of_workers(&workers, now - silent))
}

fn of_workers(workers: &[WorkerOut], since: DateTime<Utc>) -> Finding {
    let heard: Vec<_> = workers.iter().filter(|w| w.last_seen >= since).collect();
    if heard.is_empty() {
        return Finding::bad(
            Text::new("aucun worker ne se fait entendre", "no worker is heard of"),
            Text::new(
                "lancez erp-worker run, et lisez son journal",
                "start erp-worker run, and read its log",
            ),
        );
    }
    let served = |queue: &str| heard.iter().any(|w| w.queues.iter().any(|q| q == queue));
    let idle: Vec<_> = QUEUES.iter().filter(|queue| !served(queue)).copied().collect();
    if !idle.is_empty() {
        let idle = idle.join(", ");
        return Finding::bad(
            Text::new(format!("personne ne sert {idle}"), format!("nobody serves {idle}")),
            Text::new(
                "lancez un worker sans WORKER_QUEUES, ou ajoutez-y ces files",
                "start a worker without WORKER_QUEUES, or add these queues to it",
            ),
        );
    }
    let (heard, running) = (heard.len(), heard.iter().map(|w| w.running).sum::<i64>());
    Finding::good(
        format!("{heard} à l'écoute, {running} tâches en cours"),
        format!("{heard} at work, {running} jobs running"),
    )
}

pub(super) async fn schedules(pool: &PgPool) -> Finding {
    let now = match now(pool).await {
        Ok(now) => now,
        Err(fault) => return Finding::bad(error(&fault), Text::new("recommencez", "try again")),
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
            Text::new(format!("en retard : {late}"), format!("late: {late}")),
            Text::new(
                "lancez un worker avec ENABLE_SCHEDULER=true",
                "start a worker with ENABLE_SCHEDULER=true",
            ),
        );
    }
    let disabled = names(&|s| !s.enabled);
    if !disabled.is_empty() {
        return Finding::attention(
            Text::new(format!("désactivées : {disabled}"), format!("switched off: {disabled}")),
            Text::new(
                "PUT /api/v1/admin/schedules/<nom> les réactive, si ce n'est pas voulu",
                "PUT /api/v1/admin/schedules/<name> switches them on, if that is not wanted",
            ),
        );
    }
    let count = ours.len();
    Finding::good(
        format!("{count} actives, aucune en retard"),
        format!("{count} switched on, none late"),
    )
}

async fn now(pool: &PgPool) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(pool).await?)
}

fn judged<T>(found: Result<T>, judge: impl FnOnce(T) -> Finding) -> Finding {
    match found {
        Ok(found) => judge(found),
        Err(fault) => Finding::bad(error(&fault), super::hours::read_the_log()),
    }
}
