//! Who lives, what a process holds, and what becomes of the jobs of one that fell silent: each one statement.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::Result;

/// Jobs that one statement takes from dead processes.
const BATCH: i64 = 1000;

/// The longest pause between two beats of a process that counts as heard of all the time, for one that holds others for dead
/// after `silence`. Who was away for less has not missed anybody's whole silence.
fn gap(silence: Duration) -> f64 {
    silence.as_secs_f64() / 2.0
}

/// Says that process `worker` lives. The first time it makes it known. After half of `silence` without a beat the process has
/// to be heard of anew, by the clock of the database, before it may take from others.
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
                last_seen = clock_timestamp(), signed_off_at = null
        "#,
        worker,
        queues,
        gap(silence),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets a process that has ended in order, and those that have been silent for a day.
pub(crate) async fn sign_off(pool: &PgPool, worker: &str) -> Result<()> {
    sqlx::query!(
        "update queue.workers set signed_off_at = clock_timestamp() where id = $1",
        worker
    )
    .execute(pool)
    .await?;
    // Never one that still holds a job: nobody would look for it any more.
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

/// One attempt: its job, and [`crate::Claimed::since`].
pub(crate) type Key = (String, DateTime<Utc>);

/// Which of these attempts `worker` holds still. By their ids: who holds what stands in no index.
pub(crate) async fn held(pool: &PgPool, worker: &str, attempts: &[Key]) -> Result<Vec<Key>> {
    let ids: Vec<_> = attempts.iter().map(|(id, _)| id.clone()).collect();
    let rows = sqlx::query!(
        r#"select id, lock_at as "since!" from queue.jobs where id = any($2) and lock_by = $1"#,
        worker,
        &ids,
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (row.id, row.since)).collect())
}

/// All that `worker` holds; reads every live job.
pub(crate) async fn all_held(pool: &PgPool, worker: &str) -> Result<Vec<Key>> {
    let rows = sqlx::query!(
        r#"select id, lock_at as "since!" from queue.jobs where lock_by = $1"#,
        worker
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (row.id, row.since)).collect())
}

/// Gives back attempts that `worker` holds and will not end: their jobs are ready again, at the cost of no attempt. `begun`: they
/// ran, or may have; their history says so if they were held for a second.
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

/// The same of all that `worker` holds; reads every live job.
pub(crate) async fn hand_back_all(pool: &PgPool, worker: &str) -> Result<u64> {
    let all = all_held(pool, worker).await?;
    hand_back(pool, worker, &all, true).await
}

/// Makes ready the jobs of processes that have been silent for longer than `silence`; gives how many of each queue.
///
/// Nothing unless process `rescuer` has itself been heard of for as long without a gap, up to now: to one that was frozen, or
/// cut off, all others seem silent, and they may have been frozen with it. Both are asked of the database in the statement
/// that rescues, so that no pause between a look and the act matters.
///
/// The search reads every live job, so that it is made by one process, once, and then again at growing intervals: a claim that
/// was on its way when its process died may commit after the first.
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
