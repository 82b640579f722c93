//! Counts of jobs. Each reads a limited number of rows of a queue, however long the ledger: a board asks for them at every
//! look.
use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use apalis_core::backend::{StatType, Statistic};
use sqlx::PgPool;
use ulid::Ulid;

use crate::{Result, admin};

/// The greatest count.
const MOST: i64 = 10_000;
/// The greatest count of one day.
const MOST_A_DAY: i64 = 1_000;
const DAY: Duration = Duration::from_hours(24);
/// Greater than every id.
const AFTER_ALL: &str = "~";

/// How many jobs of a queue are in which state.
pub(super) struct Figures {
    /// The counts of its live jobs, and of its dead ones.
    pub(super) queue: admin::Queue,
    /// Done jobs among the latest [`MOST`] of the queue that were done or cancelled.
    done: i64,
    /// Cancelled jobs of the queue among the latest [`MOST`] cancelled jobs of all queues.
    cancelled: i64,
}

impl Figures {
    /// The counts of the queues `known`, and of all that have something to count.
    pub(super) async fn of_all(pool: &PgPool, mut known: Vec<String>) -> Result<Vec<Self>> {
        known.extend(ended(pool).await?);
        count(pool, admin::queues(pool, &known, MOST).await?).await
    }

    /// The counts of one queue, as a list of at most one.
    pub(super) async fn of(pool: &PgPool, queue: &str) -> Result<Vec<Self>> {
        let mut queues = admin::queues(pool, &[queue.to_owned()], MOST).await?;
        queues.retain(|one| one.name == queue);
        count(pool, queues).await
    }
}

async fn count(pool: &PgPool, queues: Vec<admin::Queue>) -> Result<Vec<Figures>> {
    let names: Vec<_> = queues.iter().map(|queue| queue.name.clone()).collect();
    // The limit follows the order of the index: with an equality Postgres might read all jobs of the queue, and sort them.
    let done = sqlx::query!(
        r#"
            select n.name as "queue!", count(*) filter (where outcome = 'done') as "jobs!"
            from unnest($1::text[]) as n(name)
            cross join lateral (
                select queue, outcome from queue.ended_days
                where queue <= n.name order by queue desc, id desc limit $2
            ) as latest
            where latest.queue = n.name
            group by n.name
        "#,
        &names,
        MOST,
    );
    let done = done.fetch_all(pool).await?.into_iter().map(|of| (of.queue, of.jobs));
    let cancelled = sqlx::query!(
        r#"
            select queue, count(*) as "jobs!"
            from (select queue from queue.ended_days where outcome = 'cancelled' order by id desc limit $1) as latest
            group by queue
        "#,
        MOST,
    );
    let cancelled = cancelled.fetch_all(pool).await?.into_iter().map(|of| (of.queue, of.jobs));
    let (done, cancelled): (HashMap<_, _>, HashMap<_, _>) = (done.collect(), cancelled.collect());
    let of = |counts: &HashMap<_, _>, queue: &admin::Queue| {
        counts.get(&queue.name).copied().unwrap_or_default()
    };
    let figures = queues.into_iter().map(|queue| Figures {
        done: of(&done, &queue),
        cancelled: of(&cancelled, &queue),
        queue,
    });
    Ok(figures.collect())
}

/// The queues of jobs that were done or cancelled. They are few among many rows: the recursion asks the index for the next one.
async fn ended(pool: &PgPool) -> Result<Vec<String>> {
    let names = sqlx::query_scalar!(
        r#"
            with recursive ended as (
                (select queue from queue.ended_days order by queue limit 1)
                union all
                select (select d.queue from queue.ended_days d where d.queue > e.queue order by d.queue limit 1)
                from ended e where e.queue is not null
            )
            select queue as "queue!" from ended where queue is not null
        "#
    );
    Ok(names.fetch_all(pool).await?)
}

fn number(title: &str, priority: u64, value: i64) -> Statistic {
    Statistic {
        title: title.to_owned(),
        stat_type: StatType::Number,
        value: value.to_string(),
        priority: Some(priority),
    }
}

/// Sums over all `queues`: one for each status, which a board uses on the page of that status, and the total.
pub(super) fn statistics(queues: &[Figures]) -> Vec<Statistic> {
    let sum = |of: fn(&Figures) -> i64| queues.iter().map(of).sum::<i64>();
    let running = sum(|of| of.queue.running);
    let pending = sum(|of| of.queue.ready + of.queue.scheduled);
    let failed = sum(|of| of.queue.retrying);
    let killed = sum(|of| of.queue.dead + of.cancelled);
    let done = sum(|of| of.done);
    vec![
        number("RUNNING_JOBS", 1, running),
        number("PENDING_JOBS", 1, pending),
        number("FAILED_JOBS", 1, failed),
        number("KILLED_JOBS", 2, killed),
        number("DONE_JOBS", 2, done),
        number("TOTAL_JOBS", 3, running + pending + failed + killed + done),
    ]
}

/// For each of `queues` the number of its jobs that were done or cancelled, by the days of 24 hours in which they were
/// enqueued, the oldest of seven first. Their ids have that time, and an index has the ids: no row is read.
pub(super) async fn activity(
    pool: &PgPool,
    queues: &[String],
) -> Result<HashMap<String, Vec<usize>>> {
    let now = SystemTime::now();
    let first_id = |days: u32| {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let since = since.saturating_sub(DAY * days).as_millis();
        Ulid::from_parts(u64::try_from(since).unwrap_or(0), 0).to_string()
    };
    let since: Vec<_> = (1..=7).map(first_id).collect();
    let mut until = vec![AFTER_ALL.to_owned()];
    until.extend_from_slice(&since[..6]);
    let days = sqlx::query!(
        r#"
            select n.name as "queue!", d.day as "day!", count(*) as "jobs!"
            from unnest($1::text[]) as n(name)
            cross join unnest($2::text[], $3::text[]) with ordinality as d(since, until, day)
            cross join lateral (
                select queue, id from queue.ended_days
                where (queue, id) < (n.name, d.until) order by queue desc, id desc limit $4
            ) as latest
            where latest.queue = n.name and latest.id >= d.since
            group by n.name, d.day
        "#,
        queues,
        &since,
        &until,
        MOST_A_DAY,
    );
    let mut activity = HashMap::<_, Vec<usize>>::new();
    for of in days.fetch_all(pool).await? {
        let days = activity.entry(of.queue).or_insert_with(|| vec![0; 7]);
        let day = usize::try_from(7 - of.day).ok().and_then(|day| days.get_mut(day));
        if let Some(day) = day {
            *day = usize::try_from(of.jobs).unwrap_or(0);
        }
    }
    Ok(activity)
}
