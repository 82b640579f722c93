//! SQL of the processes: heartbeats, what a process holds, handing back, and the rescue of jobs of silent processes.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::Result;

/// The most jobs that one statement takes from dead processes.
const BATCH: i64 = 1000;

/// The longest pause in seconds between two heartbeats that does not count as a gap, for a process that takes others for dead
/// after `silence`. A process that was away for less cannot have missed the whole silence of another.
fn gap(silence: Duration) -> f64 {
    silence.as_secs_f64() / 2.0
}

/// Writes a heartbeat of process `worker`; the first one makes it known. After a gap of more than half of `silence`, by the
/// database's clock, the process has to be heard of for a whole silence again before it may rescue from others.
pub(crate) async fn beat(
    pool: &PgPool,
    worker: &str,
    queues: &[String],
    silence: Duration,
) -> Result<()> {
    sqlx::query!(
        r#"
            insert into queue.workers as w (id, queues, last_seen, heard_since)
            values ($1, $2, clock_timestamp(), clock_timestamp())
            on conflict (id) do update set
                heard_since = case when w.last_seen < clock_timestamp() - make_interval(secs => $3)
                    then clock_timestamp() else w.heard_since end,
                queues = excluded.queues, last_seen = clock_timestamp(), signed_off_at = null
        "#,
        worker,
        queues,
        gap(silence),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Marks a process that has ended in order as signed off, and deletes those that have been silent for a day.
pub(crate) async fn sign_off(pool: &PgPool, worker: &str) -> Result<()> {
    sqlx::query!(
        "update queue.workers set signed_off_at = clock_timestamp() where id = $1",
        worker
    )
    .execute(pool)
    .await?;
    // Never one that still holds a job: without its row the job would not be rescued.
    sqlx::query!(
        r#"
            delete from queue.workers w
            where last_seen < clock_timestamp() - interval '1 day'
              and not exists (select from queue.jobs j where j.lock_by = w.id)
        "#
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// An attempt: the id of its job, and [`crate::Claimed::since`].
pub(crate) type Key = (String, DateTime<Utc>);

/// The attempts by which `worker` holds the jobs of `attempts` now. They are looked up by id: no index says who holds what.
pub(crate) async fn held(pool: &PgPool, worker: &str, attempts: &[Key]) -> Result<Vec<Key>> {
    let ids: Vec<_> = attempts.iter().map(|(id, _)| id.clone()).collect();
    let rows = sqlx::query!(
        r#"select id, lock_at as "since!" from queue.jobs where id = any($2) and lock_by = $1"#,
        worker,
        &ids,
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (row.id, row.since)).collect())
}

/// All attempts that `worker` holds; reads every live job.
pub(crate) async fn all_held(pool: &PgPool, worker: &str) -> Result<Vec<Key>> {
    let rows = sqlx::query!(
        r#"select id, lock_at as "since!" from queue.jobs where lock_by = $1"#,
        worker
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (row.id, row.since)).collect())
}

/// Hands back attempts that `worker` holds and will not end: their jobs are ready again, at the cost of no attempt; returns how
/// many. `begun`: they ran, or may have; those that were held for a second get an entry in their history.
pub(crate) async fn hand_back(
    pool: &PgPool,
    worker: &str,
    attempts: &[Key],
    begun: bool,
) -> Result<u64> {
    let ids: Vec<_> = attempts.iter().map(|(id, _)| id.clone()).collect();
    let since: Vec<_> = attempts.iter().map(|(_, since)| *since).collect();
    let done = sqlx::query!(
        r#"
            with k as materialized (
                select *, $1::text as worker from unnest($2::text[], $3::timestamptz[]) as k (id, since)
            ),
            back as (
                update queue.jobs j
                set attempts = attempts - 1, lock_by = null, lock_at = null,
                    history = case when $4 and lock_at < clock_timestamp() - interval '1 second'
                        then (case when jsonb_array_length(history) >= 100 then history - 0 else coalesce(history, '[]') end)
                            || jsonb_build_object('attempt', attempts, 'worker', lock_by, 'started_at', lock_at,
                                'ended_at', clock_timestamp(), 'outcome', 'handed_back', 'error', null)
                        else history end
                from k where j.id = k.id and j.lock_by = k.worker and j.lock_at = k.since
                returning queue
            )
            select count(*) as "count!", (select count(pg_notify('queue', queue)) from (select distinct queue from back) q) as rung
            from back
        "#,
        worker,
        &ids,
        &since,
        begun,
    )
    .fetch_one(pool)
    .await?;
    Ok(done.count.unsigned_abs())
}

/// The same for all that `worker` holds; reads every live job.
pub(crate) async fn hand_back_all(pool: &PgPool, worker: &str) -> Result<u64> {
    let all = all_held(pool, worker).await?;
    hand_back(pool, worker, &all, true).await
}

/// Makes ready the jobs of processes that have been silent for longer than `silence`; returns how many of each queue.
///
/// Does nothing unless process `rescuer` has itself been heard of without a gap for as long, up to now: to a process that was
/// frozen or cut off all others seem silent, though they may have been frozen with it. The statements that rescue check both
/// themselves, so that a pause between look and rescue does no harm.
///
/// The search reads every live job. So it is made by one process, once, and then again at growing intervals: a claim that was
/// on its way when its process died may commit after the first search.
pub(crate) async fn rescue(
    pool: &PgPool,
    rescuer: &str,
    silence: Duration,
    error: &str,
) -> Result<Vec<(String, i64)>> {
    let silent = sqlx::query_scalar!(
        r#"
            update queue.workers set searched_at = clock_timestamp()
            where id in (
                select id from queue.workers
                where last_seen < clock_timestamp() - make_interval(secs => $1)
                  and (searched_at is null or searched_at < last_seen or searched_at < clock_timestamp()
                    - greatest(interval '15 seconds', (clock_timestamp() - last_seen) / 5))
                for update skip locked
            ) and exists (
                select from queue.workers me
                where me.id = $2 and me.heard_since < clock_timestamp() - make_interval(secs => $1)
                  and me.last_seen > clock_timestamp() - make_interval(secs => $3))
            returning id
        "#,
        silence.as_secs_f64(),
        rescuer,
        gap(silence),
    )
    .fetch_all(pool)
    .await?;
    if silent.is_empty() {
        return Ok(Vec::new());
    }
    let mut back = Vec::<(String, i64)>::new();
    loop {
        let rows = sqlx::query!(
            r#"
                with lost as (
                    select j.id from queue.jobs j
                    join queue.workers w on w.id = j.lock_by
                    where w.id = any($4) and w.last_seen < clock_timestamp() - make_interval(secs => $1)
                      and exists (
                        select from queue.workers me
                        where me.id = $2 and me.heard_since < clock_timestamp() - make_interval(secs => $1)
                          and me.last_seen > clock_timestamp() - make_interval(secs => $3))
                    limit $5
                    for update of j skip locked
                ),
                rescued as (
                    update queue.jobs j
                    set run_at = clock_timestamp(), lock_by = null, lock_at = null, rescues = rescues + 1, error = $6,
                        history = coalesce(history, '[]') || jsonb_build_object('attempt', attempts, 'worker', lock_by,
                            'started_at', lock_at, 'ended_at', clock_timestamp(), 'outcome', 'lost', 'error', $6::text)
                    from lost where j.id = lost.id
                    returning j.queue
                ),
                counts as (select queue, count(*) as count from rescued group by 1)
                select queue as "queue!", count as "count!", pg_notify('queue', queue) from counts
            "#,
            silence.as_secs_f64(),
            rescuer,
            gap(silence),
            &silent,
            BATCH,
            error,
        )
        .fetch_all(pool)
        .await?;
        let count: i64 = rows.iter().map(|row| row.count).sum();
        back.extend(rows.into_iter().map(|row| (row.queue, row.count)));
        if count < BATCH {
            return Ok(back);
        }
    }
}

#[cfg(test)]
mod tests;
