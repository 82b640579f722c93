//! The steps of a job between its enqueueing and its end, each one statement: taken, ended, handed back, rescued.
//!
//! A job is held by the process whose id stands in `lock_by`, for as long as that process is heard of. Every step of the
//! holder asks whether it still is: what was rescued or cancelled meanwhile is left alone.
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

use super::{Dependency, MAX_RESCUES, breaker::PROBE_LEASE};
use crate::Result;

/// A job that this process holds and is about to run.
#[derive(Debug, Clone)]
pub struct Taken {
    pub id: String,
    pub payload: Vec<u8>,
    /// Counts from 1.
    pub attempt: i32,
    /// Workers that died running it.
    pub rescues: i32,
    /// Attempts in a row that met an outage of something outside; they cost no attempt.
    pub outages: i32,
    /// When the first of them ended.
    pub outage_since: Option<DateTime<Utc>>,
    /// The request that caused it.
    pub request_id: Option<String>,
    /// The span in which it was enqueued (W3C Trace Context).
    pub traceparent: Option<String>,
    /// Seconds that it was ready before a worker took it.
    pub waited: f64,
    /// When it was taken: tells this attempt from every other of the job.
    pub since: DateTime<Utc>,
    /// Whether it is to find out if what it needs is back: nobody else does meanwhile.
    pub probe: bool,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// Failed by a fault of the job itself: again after a pause.
    Retry,
    /// Something outside was away: again after a pause, at no cost.
    Outage,
    /// Not now: again after a pause, at no cost.
    Snooze,
    /// Never again.
    Dead,
    /// The job was somebody else's by then: nothing is recorded.
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

    /// The state in apalis's table.
    fn status(self) -> &'static str {
        match self {
            Self::Done => "Done",
            Self::Retry | Self::Outage | Self::Stale => "Failed",
            Self::Snooze => "Pending",
            Self::Dead => "Killed",
        }
    }
}

/// An attempt that ended, to be recorded.
#[derive(Debug, Clone)]
pub struct Ended {
    pub id: String,
    /// [`Taken::since`]
    pub since: DateTime<Utc>,
    pub outcome: Outcome,
    /// Before the next attempt; jitter is added where it is stored.
    pub pause: Duration,
    pub error: Option<String>,
    /// What was away: the job is ready again when it is back.
    pub outage_of: Option<Dependency>,
}

impl Ended {
    /// Of an attempt that was dropped: its job is not this process's any more.
    #[must_use]
    pub fn stale(job: &Taken) -> Self {
        let (outcome, pause) = (Outcome::Stale, Duration::ZERO);
        Self { id: job.id.clone(), since: job.since, outcome, pause, error: None, outage_of: None }
    }
}

/// The longest pause between two beats of a process that counts as heard of all the time, for one that holds others for dead
/// after `silence`. Who was away for less has not missed anybody's whole silence.
fn gap(silence: Duration) -> f64 {
    silence.as_secs_f64() / 2.0
}

/// Says that process `worker` lives. The first time it makes it known. `silence` as for [`rescue`]: after half of it without
/// a beat the process has to be heard of anew, by the clock of the database, before it may rescue.
pub async fn heartbeat(pool: &PgPool, worker: &str, queues: &str, silence: Duration) -> Result<()> {
    sqlx::query!(
        r#"
            insert into apalis.workers as w (id, worker_type, storage_name, layers, last_seen, started_at, heard_since)
            values ($1, 'erp-worker', 'PgStorage', $2, clock_timestamp(), clock_timestamp(), clock_timestamp())
            on conflict (id) do update set
                heard_since = case when w.last_seen < clock_timestamp() - make_interval(secs => $3)
                    then clock_timestamp() else w.heard_since end,
                last_seen = clock_timestamp()
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
pub async fn sign_off(pool: &PgPool, worker: &str) -> Result<()> {
    sqlx::query!(
        r#"
            delete from apalis.workers w
            where (id = $1 or last_seen < clock_timestamp() - interval '1 day')
              and not exists (select from apalis.jobs j where j.lock_by = w.id)
        "#,
        worker,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes up to `limit` ready jobs of `queue` for process `worker`, by priority, then by age; none of a paused queue, and
/// while the breaker of one of its `needs` is open one at the most: the probe, when it is time for one and nobody else runs it.
pub async fn take(
    pool: &PgPool,
    queue: &str,
    worker: &str,
    limit: usize,
    needs: &[Dependency],
) -> Result<Vec<Taken>> {
    let needs: Vec<_> = needs.iter().map(|need| need.as_str().to_owned()).collect();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    // Level by level: with the priority fixed the index gives the oldest ready ones at once, and never walks
    // over those that are not due (which takes a time that stands still). The levels are those of `Priority`.
    let taken = sqlx::query_as!(
        Taken,
        r#"
            with ouverts as (
                select nom, essai_a <= clock_timestamp() and (essai_jusqu_a is null or essai_jusqu_a < clock_timestamp()) as free
                from disjoncteurs where nom = any($4) and ouvert_depuis is not null
            ),
            room as (
                select case when bool_and(free) is null then $3::bigint when bool_and(free) then least($3::bigint, 1) else 0 end as jobs
                from ouverts
            ),
            ready as (
                select found.id
                from (values (2), (1), (0)) as level (priority)
                cross join lateral (
                    select id from apalis.jobs
                    where job_type = $1 and priority = level.priority and run_at <= statement_timestamp()
                      and (status = 'Pending' or status = 'Failed' and attempts < max_attempts)
                      and not exists (select from apalis.paused_queues where name = $1)
                    order by run_at
                    limit (select jobs from room)
                    for update skip locked
                ) as found
                order by level.priority desc
                limit (select jobs from room)
            ),
            -- Whoever comes second waits for the row, and then finds it taken.
            probe as (
                update disjoncteurs d
                set essai_par = $2, essai_tache = (select id from ready),
                    essai_jusqu_a = clock_timestamp() + make_interval(secs => $5)
                where nom in (select nom from ouverts) and exists (select from ready) and ouvert_depuis is not null
                  and essai_a <= clock_timestamp() and (essai_jusqu_a is null or essai_jusqu_a < clock_timestamp())
                returning nom
            ),
            taken as (
                update apalis.jobs j
                set status = 'Running', attempts = attempts + 1, lock_by = $2, lock_at = clock_timestamp(), done_at = null
                from ready
                where j.id = ready.id and (select count(*) from probe) = (select count(*) from ouverts)
                returning j.*
            )
            select id, job as payload, attempts as attempt, coalesce((metadata -> 'rescues')::integer, 0) as "rescues!",
                coalesce((metadata -> 'outages')::integer, 0) as "outages!",
                (metadata -> 'outage_since')::timestamptz as outage_since,
                metadata -> 'request_id' as request_id, metadata -> 'traceparent' as traceparent,
                greatest(0, extract(epoch from lock_at - greatest(run_at, created_at)))::float8 as "waited!",
                lock_at as "since!", exists (select from probe) as "probe!"
            from taken
            order by priority desc, run_at, id
        "#,
        queue,
        worker,
        limit,
        &needs,
        PROBE_LEASE.as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    Ok(taken)
}

/// Records attempts that `worker` has ended; gives the ids of those that it still held. The others were cancelled, or
/// taken from it as from a dead one, and what becomes of them is decided there.
pub async fn end(db: impl PgExecutor<'_>, worker: &str, ended: &[Ended]) -> Result<Vec<String>> {
    let ids: Vec<_> = ended.iter().map(|e| e.id.clone()).collect();
    let since: Vec<_> = ended.iter().map(|e| e.since).collect();
    let statuses: Vec<_> = ended.iter().map(|e| e.outcome.status().to_owned()).collect();
    let outcomes: Vec<_> = ended.iter().map(|e| e.outcome.as_str().to_owned()).collect();
    let pauses: Vec<_> = ended.iter().map(|e| e.pause.as_secs_f64()).collect();
    // Postgres's text holds no NUL.
    let errors: Vec<_> =
        ended.iter().map(|e| e.error.as_deref().map(|t| t.replace('\0', ""))).collect();
    let away: Vec<_> = ended.iter().map(|e| e.outage_of.map(|d| d.as_str().to_owned())).collect();
    // By id: an index of `lock_by` is full of rows that were held a moment ago, which `is not distinct from` does not use.
    let held = sqlx::query_scalar!(
        r#"
            update apalis.jobs j
            set status = e.status,
                attempts = j.attempts - (e.outcome in ('snooze', 'outage'))::integer,
                -- A job enqueued by an older version may have been allowed fewer attempts than are now.
                max_attempts = case when e.outcome in ('retry', 'outage') then greatest(j.max_attempts, j.attempts + 1)
                    else j.max_attempts end,
                metadata = case e.outcome
                    when 'outage' then delete(coalesce(j.metadata, ''::hstore), 'outage_of')
                        || case when e.away is null then ''::hstore else hstore('outage_of', e.away) end
                        || hstore('outages', (coalesce((j.metadata -> 'outages')::integer, 0) + 1)::text)
                        || hstore('outage_since', coalesce(j.metadata -> 'outage_since', clock_timestamp()::text))
                    when 'snooze' then j.metadata
                    else delete(j.metadata, array['outages', 'outage_since', 'outage_of']) end,
                -- Half of the pause to all of it, so that what failed together does not come back together.
                run_at = case
                    when e.outcome in ('retry', 'outage') then clock_timestamp() + make_interval(secs => e.pause * (0.5 + random() / 2))
                    when e.outcome = 'snooze' then clock_timestamp() + make_interval(secs => e.pause)
                    else j.run_at end,
                last_result = jsonb_build_object(case when e.error is null then 'Ok' else 'Err' end, e.error),
                done_at = case when e.outcome in ('done', 'dead') then clock_timestamp() end,
                lock_by = null,
                lock_at = null,
                attempts_log = (case when jsonb_array_length(j.attempts_log) >= 100 then j.attempts_log - 0
                    else j.attempts_log end) || jsonb_build_object(
                        'attempt', j.attempts, 'worker', j.lock_by, 'started_at', j.lock_at,
                        'ended_at', clock_timestamp(), 'outcome', e.outcome, 'error', e.error)
            from unnest($2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::float8[], $7::text[], $8::text[])
                as e (id, since, status, outcome, pause, error, away)
            where j.id = e.id and j.status = 'Running' and j.lock_by is not distinct from $1 and j.lock_at = e.since
            returning j.id
        "#,
        worker,
        &ids,
        &since,
        &statuses,
        &outcomes,
        &pauses,
        &errors as &[Option<String>],
        &away as &[Option<String>],
    )
    .fetch_all(db)
    .await?;
    Ok(held)
}

/// Which attempts `worker` holds: job, and [`Taken::since`].
pub async fn held(pool: &PgPool, worker: &str) -> Result<Vec<(String, DateTime<Utc>)>> {
    let rows = sqlx::query!(
        r#"select id, lock_at as "since!" from apalis.jobs where lock_by = $1 and status = 'Running'"#,
        worker
    );
    Ok(rows.fetch_all(pool).await?.into_iter().map(|row| (row.id, row.since)).collect())
}

/// Gives back what `worker` holds and will not end, all or these attempts: ready again, at no cost.
pub async fn hand_back(
    pool: &PgPool,
    worker: &str,
    only: Option<&[(String, DateTime<Utc>)]>,
) -> Result<u64> {
    let ids: Vec<_> = only.unwrap_or_default().iter().map(|(id, _)| id.clone()).collect();
    let since: Vec<_> = only.unwrap_or_default().iter().map(|(_, since)| *since).collect();
    let done = sqlx::query!(
        r#"
            with back as (
                update apalis.jobs
                set status = 'Pending', attempts = attempts - 1, lock_by = null, lock_at = null,
                    attempts_log = attempts_log || case when lock_at < clock_timestamp() - interval '1 second'
                        then jsonb_build_array(jsonb_build_object(
                            'attempt', attempts, 'worker', lock_by, 'started_at', lock_at,
                            'ended_at', clock_timestamp(), 'outcome', 'handed_back', 'error', null))
                        else '[]' end
                where lock_by = $1 and status = 'Running' 
                  and ($2 or (id, lock_at) in (select * from unnest($3::text[], $4::timestamptz[])))
                returning job_type
            )
            select count(*) as "count!", (select count(pg_notify('erp_jobs', job_type)) from (select distinct job_type from back) q) as rung
            from back
        "#,
        worker,
        only.is_none(),
        &ids,
        &since,
    )
    .fetch_one(pool)
    .await?;
    Ok(done.count.unsigned_abs())
}

/// Makes ready the jobs of processes that have been silent for longer than `silence`; gives how many of each queue.
///
/// Nothing unless process `rescuer` has itself been heard of for as long without a gap, up to now: to one that was frozen, or
/// cut off, all others seem silent, and they may have been frozen with it. Both are asked of the database in the statement
/// that rescues, so that no pause between a look and the act matters.
pub async fn rescue(pool: &PgPool, rescuer: &str, silence: Duration) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"
            with lost as (
                select j.id from apalis.jobs j
                join apalis.workers w on w.id = j.lock_by
                where j.status = 'Running'
                  and w.last_seen < clock_timestamp() - make_interval(secs => $1)
                  and exists (
                    select from apalis.workers me
                    where me.id = $2 and me.heard_since < clock_timestamp() - make_interval(secs => $1)
                      and me.last_seen > clock_timestamp() - make_interval(secs => $3))
                limit 1000
                for update of j skip locked
            ),
            rescued as (
                update apalis.jobs j
                set status = 'Pending', run_at = clock_timestamp(), lock_by = null, lock_at = null,
                    last_result = '{"Err": "le processus qui l''exécutait a disparu"}',
                    metadata = coalesce(metadata, ''::hstore)
                        || hstore('rescues', (coalesce((metadata -> 'rescues')::integer, 0) + 1)::text),
                    attempts_log = attempts_log || jsonb_build_object(
                        'attempt', attempts, 'worker', lock_by, 'started_at', lock_at, 'ended_at', clock_timestamp(),
                        'outcome', 'lost', 'error', 'le processus qui l''exécutait a disparu')
                from lost where j.id = lost.id
                returning j.job_type
            ),
            counts as (select job_type, count(*) as count from rescued group by 1)
            select job_type as "job_type!", count as "count!", pg_notify('erp_jobs', job_type) from counts
        "#,
        silence.as_secs_f64(),
        rescuer,
        gap(silence),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.job_type, row.count)).collect())
}

impl Taken {
    /// How long something outside has been away for this job, until this attempt began.
    #[must_use]
    pub fn outage(&self) -> Duration {
        let lasted = self.outage_since.and_then(|since| (self.since - since).to_std().ok());
        lasted.unwrap_or_default()
    }

    /// Attempts that count, this one among them: those that were lost with their worker are not its fault.
    #[must_use]
    pub fn own_attempts(&self) -> usize {
        usize::try_from(self.attempt - self.rescues).unwrap_or(0)
    }

    /// Why it is not to be run, whatever its handler would say: it kills workers, or has had its attempts.
    #[must_use]
    pub fn is_spent(&self, max_attempts: usize) -> Option<String> {
        if self.rescues >= MAX_RESCUES {
            return Some(format!("{} workers died while they ran it", self.rescues));
        }
        (self.own_attempts() > max_attempts)
            .then(|| "its attempts are used up: its history says why they failed".to_owned())
    }
}
