//! What operators do to a job. Each function is idempotent: a job that is already as it was asked to be does not change.
use sqlx::PgConnection;

use super::{Job, find};
use crate::Result;

/// A job as [`find`] returns it, locked until the transaction ends: neither a worker nor another operator moves it meanwhile.
pub async fn find_for_update(db: &mut PgConnection, id: &str) -> Result<Job> {
    // A job that ends meanwhile moves from the first table to the second, and is found there; one that is redriven moves back,
    // and is found by the second round.
    for _ in 0..2 {
        let live = sqlx::query!("select id from queue.jobs where id = $1 for update", id)
            .fetch_optional(&mut *db)
            .await?;
        if live.is_some() {
            break;
        }
        let ended = sqlx::query!("select id from queue.ended where id = $1 for update", id)
            .fetch_optional(&mut *db)
            .await?;
        if ended.is_some() {
            break;
        }
    }
    find(db, id).await
}

/// Locks the jobs of `ids` that no other transaction has locked, until the transaction ends; returns their ids.
pub async fn lock(db: &mut PgConnection, ids: &[String]) -> Result<Vec<String>> {
    let live = sqlx::query_scalar!(
        "select id from queue.jobs where id = any($1) for update skip locked",
        ids
    );
    let mut locked = live.fetch_all(&mut *db).await?;
    let ended = sqlx::query_scalar!(
        "select id from queue.ended where id = any($1) for update skip locked",
        ids
    );
    locked.extend(ended.fetch_all(db).await?);
    Ok(locked)
}

/// Makes a job ready, as if it had never run, if it waits, is dead, or was cancelled. Its history is kept, and the checkpoint
/// of one that waits. Any other job does not change. Returns whether it changed.
pub async fn redrive(db: &mut PgConnection, id: &str) -> Result<bool> {
    let live = sqlx::query!(
        r#"
            with ready as (
                update queue.jobs
                set attempts = 0, rescues = 0, outages = 0, outage_since = null, outage_of = null, error = null,
                    run_at = least(run_at, now()),
                    history = coalesce(history, '[]') || jsonb_build_object('attempt', attempts, 'worker', null,
                        'started_at', null, 'ended_at', clock_timestamp(), 'outcome', 'redriven', 'error', null)
                where id = $1 and lock_by is null and (run_at > now() or attempts > 0 or error is not null)
                returning queue
            )
            select pg_notify('queue', queue) from ready
        "#,
        id,
    )
    .fetch_optional(&mut *db)
    .await?;
    if live.is_some() {
        return Ok(true);
    }
    let back = sqlx::query!(
        r#"
            with gone as (
                delete from queue.ended where id = $1 and outcome in ('dead', 'cancelled') returning *
            ),
            -- A key that was freed meanwhile, and taken by another job, is that one's.
            keyed as (
                insert into queue.keys as k (queue, key, job) select queue, key, id from gone where key is not null
                on conflict (queue, key) do update set job = k.job where k.job = excluded.job
                returning key
            ),
            counted as (
                update queue.batches b
                set dead = dead - (g.outcome = 'dead')::integer, cancelled = cancelled - (g.outcome = 'cancelled')::integer
                from gone g where b.id = g.batch and b.ended_at is null
                returning b.id
            ),
            back as (
                insert into queue.jobs (id, queue, run_at, created_at, max_attempts, key, batch, metadata, payload, history)
                select id, queue,
                    -- The worker that ran it when it was cancelled needs a moment to see that, and to stop.
                    case when outcome = 'cancelled' and worker is not null
                        then greatest(now(), ended_at + interval '10 seconds') else now() end,
                    created_at, max_attempts, (select key from keyed), (select id from counted), metadata, payload,
                    coalesce(history, '[]')
                    || jsonb_build_object('attempt', attempts, 'worker', worker, 'started_at', started_at,
                        'ended_at', ended_at, 'outcome', outcome, 'error', error)
                    || jsonb_build_object('attempt', attempts, 'worker', null,
                        'started_at', null, 'ended_at', clock_timestamp(), 'outcome', 'redriven', 'error', null)
                from gone
                returning queue
            )
            select pg_notify('queue', queue) from back
        "#,
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(back.is_some())
}

/// Cancels a live job, for `reason`: it moves to the ledger. The worker that runs it is told within a second, and stops. An
/// ended job does not change. Returns whether it changed.
pub async fn cancel(db: &mut PgConnection, id: &str, reason: &str) -> Result<bool> {
    let gone = sqlx::query!(
        r#"
            with gone as (delete from queue.jobs where id = $1 returning *),
            counted as (
                update queue.batches b set cancelled = b.cancelled + 1,
                    ended_at = case when closed_at is not null and b.done + b.dead + b.cancelled + 1 >= b.jobs
                        then clock_timestamp() end
                from gone g where b.id = g.batch and b.ended_at is null
                returning b.*
            ),
            followed as (
                insert into queue.jobs (id, queue, run_at, max_attempts, metadata, payload)
                select then_job, then_queue, clock_timestamp(), then_max_attempts,
                    coalesce(then_metadata, '{}') || jsonb_build_object('batch', id), then_payload
                from counted where ended_at is not null
            ),
            kept as (
                insert into queue.ended (id, queue, outcome, ended_at, started_at, worker, run_at, created_at, attempts,
                    max_attempts, rescues, key, batch, error, metadata, history, payload)
                select id, queue, 'cancelled', clock_timestamp(), lock_at, lock_by, run_at, created_at, attempts,
                    max_attempts, rescues, key, batch, $2, metadata, history, payload
                from gone
                returning worker
            )
            select case when worker is not null then pg_notify('queue', '!look')::text end as told from kept
        "#,
        id,
        reason,
    )
    .fetch_optional(db)
    .await?;
    Ok(gone.is_some())
}

/// Deletes an ended job, and frees its key. Returns whether there was one.
pub async fn delete(db: &mut PgConnection, id: &str) -> Result<bool> {
    let gone = sqlx::query!(
        r#"
            with gone as (delete from queue.ended where id = $1 returning id, queue, key),
            freed as (
                delete from queue.keys k using gone
                where k.queue = gone.queue and k.key = gone.key and k.job = gone.id
            )
            select id from gone
        "#,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(gone.is_some())
}
