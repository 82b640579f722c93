//! Records how attempts ended: an ended job moves to the ledger, the others wait for their next attempt.
use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use crate::{Claimed, Result};

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Failed by a fault of the job itself: tried again after a pause.
    Retry,
    /// An external service was unavailable: tried again after a pause, at the cost of no attempt.
    Outage,
    /// Postponed by the handler: tried again after a pause, at the cost of no attempt.
    Snooze,
    /// Failed, and not tried again.
    Dead,
    /// The attempt had lost its job: nothing is recorded.
    Stale,
}

impl Outcome {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retry => "retry",
            Self::Outage => "outage",
            Self::Snooze => "snooze",
            Self::Dead => "dead",
            Self::Stale => "stale",
        }
    }

    /// Whether the job moves to the ledger.
    #[must_use]
    pub fn is_last(self) -> bool {
        matches!(self, Self::Done | Self::Dead)
    }
}

/// An attempt that ended, to be recorded.
#[derive(Debug, Clone)]
pub struct Finished {
    pub id: String,
    /// [`Claimed::since`]
    pub since: DateTime<Utc>,
    pub outcome: Outcome,
    /// The pause before the next attempt: exact after a snooze, otherwise between half of it and all.
    pub pause: Duration,
    pub error: Option<String>,
    /// The dependency that was unavailable: the job is made ready when it answers again.
    pub outage_of: Option<Cow<'static, str>>,
    /// What the handler returned.
    pub result: Option<Value>,
}

impl Finished {
    /// The end of an attempt that has lost its job.
    pub(crate) fn stale(job: &Claimed) -> Self {
        Self {
            id: job.id.clone(),
            since: job.since,
            outcome: Outcome::Stale,
            pause: Duration::ZERO,
            error: None,
            outage_of: None,
            result: None,
        }
    }
}

/// Ten years, which Postgres's timestamps can hold.
const LONGEST_PAUSE: Duration = Duration::from_hours(24 * 3650);

/// Postgres's JSON holds no NUL.
fn without_nul(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace('\0', "")),
        Value::Array(values) => Value::Array(values.into_iter().map(without_nul).collect()),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (name.replace('\0', ""), without_nul(value)))
                .collect(),
        ),
        other => other,
    }
}

/// Postgres's text holds no NUL.
fn text(finished: &Finished) -> Option<String> {
    finished.error.as_deref().map(|text| text.replace('\0', ""))
}

/// Moves ended jobs of `worker` to the ledger, counts them in their batches, and enqueues the follow-up job of each batch that
/// is complete; all in one statement. Returns the ids of the jobs that it still held. The others were cancelled or given to
/// another worker, and are left as they are.
pub(crate) async fn end(
    db: impl PgExecutor<'_>,
    worker: &str,
    ended: &[&Finished],
) -> Result<Vec<String>> {
    let ids: Vec<_> = ended.iter().map(|e| e.id.clone()).collect();
    let since: Vec<_> = ended.iter().map(|e| e.since).collect();
    let outcomes: Vec<_> = ended.iter().map(|e| e.outcome.as_str().to_owned()).collect();
    let errors: Vec<_> = ended.iter().map(|e| text(e)).collect();
    let results: Vec<_> = ended.iter().map(|e| e.result.clone().map(without_nul)).collect();
    let held = sqlx::query_scalar!(
        r#"
            -- The worker is a column of it, and no constant: who holds what changes faster than statistics, and a planner that
            -- takes one row for what hundreds are would compare all with all.
            with e as materialized (
                select *, $1::text as worker from unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::jsonb[])
                    as e (id, since, outcome, failure, result)
            ),
            gone as (
                delete from queue.jobs j using e
                where j.id = e.id and j.lock_by = e.worker and j.lock_at = e.since
                returning j.*, e.outcome, e.failure, e.result
            ),
            -- Whoever ends jobs of several batches takes them in one order.
            locked as (
                select id from queue.batches where id in (select batch from gone) order by id for update
            ),
            counted as (
                update queue.batches b set done = b.done + c.done, dead = b.dead + c.dead,
                    ended_at = case when closed_at is not null
                        and b.done + b.dead + b.cancelled + c.done + c.dead >= b.jobs then clock_timestamp() end
                from (
                    select batch, count(*) filter (where outcome = 'done') as done, count(*) filter (where outcome = 'dead') as dead
                    from gone where batch is not null group by batch
                ) c
                where b.id = c.batch and b.id in (select id from locked) and b.ended_at is null
                returning b.*
            ),
            followed as (
                insert into queue.jobs (id, queue, run_at, max_attempts, metadata, payload)
                select then_job, then_queue, clock_timestamp(), then_max_attempts,
                    coalesce(then_metadata, '{}') || jsonb_build_object('batch', id), then_payload
                from counted where ended_at is not null
            )
            insert into queue.ended (id, queue, outcome, ended_at, started_at, worker, run_at, created_at, attempts,
                max_attempts, rescues, key, batch, error, result, metadata, history, payload)
            select id, queue, outcome, clock_timestamp(), lock_at, lock_by, run_at, created_at, attempts,
                max_attempts, rescues, key, batch, failure, result, metadata, history, payload
            from gone
            returning id
        "#,
        worker,
        &ids,
        &since,
        &outcomes,
        &errors as &[Option<String>],
        &results as &[Option<Value>],
    )
    .fetch_all(db)
    .await?;
    Ok(held)
}

/// Records attempts whose jobs run again later. Returns the ids of those that `worker` still held.
pub(crate) async fn postpone(
    db: &mut PgConnection,
    worker: &str,
    ended: &[&Finished],
) -> Result<Vec<String>> {
    let ids: Vec<_> = ended.iter().map(|e| e.id.clone()).collect();
    let since: Vec<_> = ended.iter().map(|e| e.since).collect();
    let outcomes: Vec<_> = ended.iter().map(|e| e.outcome.as_str().to_owned()).collect();
    let pauses: Vec<_> = ended.iter().map(|e| e.pause.min(LONGEST_PAUSE).as_secs_f64()).collect();
    let errors: Vec<_> = ended.iter().map(|e| text(e)).collect();
    let away: Vec<_> =
        ended.iter().map(|e| e.outage_of.as_deref().map(ToOwned::to_owned)).collect();
    let held = sqlx::query_scalar!(
        r#"
            with e as materialized (
                select *, $1::text as worker
                from unnest($2::text[], $3::timestamptz[], $4::text[], $5::float8[], $6::text[], $7::text[])
                    as e (id, since, outcome, pause, failure, away)
            )
            update queue.jobs j
            set attempts = j.attempts - (e.outcome in ('snooze', 'outage'))::integer,
                outages = case e.outcome when 'outage' then j.outages + 1 when 'snooze' then j.outages else 0 end,
                outage_since = case e.outcome when 'outage' then coalesce(j.outage_since, clock_timestamp())
                    when 'snooze' then j.outage_since end,
                outage_of = case when e.outcome = 'outage' then e.away end,
                -- Half of the pause to all of it, so that what failed together does not come back together.
                run_at = clock_timestamp() + make_interval(secs =>
                    case when e.outcome = 'snooze' then e.pause else e.pause * (0.5 + random() / 2) end),
                error = case when e.outcome = 'snooze' then null else e.failure end,
                lock_by = null,
                lock_at = null,
                history = (case when jsonb_array_length(j.history) >= 100 then j.history - 0 else coalesce(j.history, '[]') end)
                    || jsonb_build_object('attempt', j.attempts, 'worker', j.lock_by, 'started_at', j.lock_at,
                        'ended_at', clock_timestamp(), 'outcome', e.outcome, 'error', e.failure)
            from e
            where j.id = e.id and j.lock_by = e.worker and j.lock_at = e.since
            returning j.id
        "#,
        worker,
        &ids,
        &since,
        &outcomes,
        &pauses,
        &errors as &[Option<String>],
        &away as &[Option<String>],
    )
    .fetch_all(db)
    .await?;
    Ok(held)
}
