//! Claiming jobs.
use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{Result, breaker::PROBE_LEASE, presence::Key};

/// A job is dead after this many workers died running it: it is taken for the cause.
pub const MAX_RESCUES: i32 = 3;

/// A job that this process holds and is about to run.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: String,
    pub queue: String,
    pub payload: Vec<u8>,
    /// Counts from 1.
    pub attempt: i32,
    pub max_attempts: i32,
    /// Workers that died running it.
    pub rescues: i32,
    /// Attempts in a row that met an outage, and when the first of them ended.
    pub outages: i32,
    pub outage_since: Option<DateTime<Utc>>,
    pub key: Option<String>,
    pub batch: Option<String>,
    pub metadata: BTreeMap<String, String>,
    /// What an earlier attempt has saved for this one ([`crate::Lease::save_checkpoint`]).
    pub checkpoint: Option<Value>,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// Seconds that it was ready before it was claimed, and that it then waited for a place.
    pub waited: f64,
    /// When it was claimed, by the database's clock: distinguishes this attempt from all others of the job.
    pub since: DateTime<Utc>,
    /// Whether it is the probe of an open breaker: no other job tries the service meanwhile.
    pub probe: bool,
}

impl Claimed {
    /// How long this job had met nothing but outages when this attempt began; zero if it had met none.
    #[must_use]
    pub fn outage(&self) -> Duration {
        let lasted = self.outage_since.and_then(|since| (self.since - since).to_std().ok());
        lasted.unwrap_or_default()
    }

    pub(crate) fn key(&self) -> Key {
        (self.id.clone(), self.since)
    }

    /// The number of attempts that count, this one included: those that were lost with their worker do not.
    #[must_use]
    pub fn own_attempts(&self) -> u32 {
        u32::try_from(self.attempt - self.rescues).unwrap_or(0)
    }

    /// The attempts that it is allowed: those that it was enqueued with, or `of_queue`, whichever are fewer.
    #[must_use]
    pub fn allowed_attempts(&self, of_queue: u32) -> u32 {
        u32::try_from(self.max_attempts).unwrap_or(0).max(1).min(of_queue)
    }

    /// Why it must not be run again: [`MAX_RESCUES`] workers died running it, or its attempts are used up (`max_attempts` is
    /// the limit of its queue). `None` if it may run.
    #[must_use]
    pub fn is_spent(&self, max_attempts: u32) -> Option<String> {
        if self.rescues >= MAX_RESCUES {
            return Some(format!("{} workers died while they ran it", self.rescues));
        }
        (self.own_attempts() > self.allowed_attempts(max_attempts))
            .then(|| "its attempts are used up: its history says why they failed".to_owned())
    }
}

struct Row {
    id: String,
    queue: String,
    payload: Vec<u8>,
    attempts: i32,
    max_attempts: i32,
    rescues: i32,
    outages: i32,
    outage_since: Option<DateTime<Utc>>,
    key: Option<String>,
    batch: Option<String>,
    metadata: Option<Value>,
    checkpoint: Option<Value>,
    run_at: DateTime<Utc>,
    waited: f64,
    since: DateTime<Utc>,
    probe: bool,
}

impl From<Row> for Claimed {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            queue: row.queue,
            payload: row.payload,
            attempt: row.attempts,
            max_attempts: row.max_attempts,
            rescues: row.rescues,
            outages: row.outages,
            outage_since: row.outage_since,
            key: row.key,
            batch: row.batch,
            metadata: texts(row.metadata),
            checkpoint: row.checkpoint,
            run_at: row.run_at,
            waited: row.waited,
            since: row.since,
            probe: row.probe,
        }
    }
}

/// The text values of the metadata. Other values, written by foreign SQL, are ignored: they must not fail a claim that has been
/// committed.
fn texts(metadata: Option<Value>) -> BTreeMap<String, String> {
    let Some(Value::Object(metadata)) = metadata else { return BTreeMap::new() };
    let texts = metadata.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        _ => None,
    });
    texts.collect()
}

/// The process that claims.
pub(crate) struct Worker<'a> {
    pub(crate) db: &'a mut PgConnection,
    pub(crate) name: &'a str,
}

/// What is to be claimed.
pub(crate) struct Wanted<'a> {
    pub(crate) queue: &'a str,
    pub(crate) limit: usize,
    pub(crate) look: Look,
    /// Whether jobs whose workers died while they held them are claimed, too.
    pub(crate) also_rescued: bool,
}

/// Where in the index of a queue a claim begins to look. As the oldest jobs are claimed first, dead versions of their rows
/// gather at the front of the index, and no vacuum may remove them while a snapshot is open: a look from the beginning would
/// walk over all of them. What is due earlier is found by the search of [`crate::older`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// At jobs due at this time or later: where the last jobs were found.
    From(DateTime<Utc>),
    /// At jobs that became due within this time: those enqueued lately, by a transaction that took no longer.
    Within(Duration),
    /// At jobs due at these times or between them: all that a search has found.
    Between(DateTime<Utc>, DateTime<Utc>),
}

impl Look {
    fn from(self) -> Option<DateTime<Utc>> {
        if let Self::From(due) | Self::Between(due, _) = self { Some(due) } else { None }
    }

    fn to(self) -> Option<DateTime<Utc>> {
        if let Self::Between(_, due) = self { Some(due) } else { None }
    }

    fn seconds(self) -> Option<f64> {
        if let Self::Within(lately) = self { Some(lately.as_secs_f64()) } else { None }
    }
}

/// Claims ready jobs of a queue, in the order in which they are due; none if the queue is paused.
pub(crate) async fn claim(worker: Worker<'_>, wanted: Wanted<'_>) -> Result<Vec<Claimed>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
            -- The rows are locked, and where they lie is known. One that was written meanwhile is locked in its new version, which
            -- this statement does not see: the next claim takes it.
            update queue.jobs
            set attempts = attempts + 1, lock_by = $2, lock_at = clock_timestamp()
            where ctid = any(array(
                select ctid from queue.jobs
                where queue = $1
                  and run_at >= coalesce($4, statement_timestamp() - make_interval(secs => $6::float8), '-infinity')
                  and run_at <= least(statement_timestamp(), $7::timestamptz) and lock_by is null and ($5 or rescues = 0)
                  and not exists (select from queue.settings where queue = $1 and paused_at is not null)
                order by run_at
                limit $3
                for update skip locked
            ))
            returning id, queue, payload, attempts, max_attempts, rescues, outages, outage_since, key, batch,
                metadata, checkpoint, run_at,
                greatest(0, extract(epoch from lock_at - greatest(run_at, created_at)))::float8 as "waited!",
                lock_at as "since!", false as "probe!"
        "#,
        wanted.queue,
        worker.name,
        i64::try_from(wanted.limit).unwrap_or(i64::MAX),
        wanted.look.from(),
        wanted.also_rescued,
        wanted.look.seconds(),
        wanted.look.to(),
    )
    .fetch_all(worker.db)
    .await?;
    Ok(in_order(rows))
}

/// The same for a queue that `needs` services: while the breaker of one of them is open it claims at most one job, the probe,
/// and that only when a probe is due and no other worker runs one.
pub(crate) async fn claim_needing(
    worker: Worker<'_>,
    wanted: Wanted<'_>,
    needs: &[String],
) -> Result<Vec<Claimed>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
            with open as (
                select name, probe_at <= clock_timestamp() and (probe_until is null or probe_until < clock_timestamp()) as free
                from queue.breakers where name = any($6) and open_since is not null
            ),
            room as (
                select case when bool_and(free) is null then $3::bigint when bool_and(free) then least($3::bigint, 1) else 0 end as jobs
                from open
            ),
            -- With a limit that the planner does not know it would read and sort all that is ready.
            ready as (
                select id, place from (
                    select id, ctid as place from queue.jobs
                    where queue = $1
                      and run_at >= coalesce($4, statement_timestamp() - make_interval(secs => $8::float8), '-infinity')
                      and run_at <= least(statement_timestamp(), $9::timestamptz) and lock_by is null and ($5 or rescues = 0)
                      and not exists (select from queue.settings where queue = $1 and paused_at is not null)
                      and (select jobs from room) > 0
                    order by run_at
                    limit $3
                    for update skip locked
                ) as first
                limit (select jobs from room)
            ),
            -- Whoever comes second waits for the row, and then finds it taken.
            probe as (
                update queue.breakers b
                set probe_by = $2, probe_job = (select id from ready),
                    probe_until = clock_timestamp() + make_interval(secs => $7)
                where name in (select name from open) and exists (select from ready) and open_since is not null
                  and probe_at <= clock_timestamp() and (probe_until is null or probe_until < clock_timestamp())
                returning name
            )
            update queue.jobs
            set attempts = attempts + 1, lock_by = $2, lock_at = clock_timestamp()
            where ctid = any(array(select place from ready)) and (select count(*) from probe) = (select count(*) from open)
            returning id, queue, payload, attempts, max_attempts, rescues, outages, outage_since, key, batch,
                metadata, checkpoint, run_at,
                greatest(0, extract(epoch from lock_at - greatest(run_at, created_at)))::float8 as "waited!",
                lock_at as "since!", exists (select from probe) as "probe!"
        "#,
        wanted.queue,
        worker.name,
        i64::try_from(wanted.limit).unwrap_or(i64::MAX),
        wanted.look.from(),
        wanted.also_rescued,
        needs,
        PROBE_LEASE.as_secs_f64(),
        wanted.look.seconds(),
        wanted.look.to(),
    )
    .fetch_all(worker.db)
    .await?;
    Ok(in_order(rows))
}

fn in_order(rows: Vec<Row>) -> Vec<Claimed> {
    let mut claimed: Vec<_> = rows.into_iter().map(Claimed::from).collect();
    claimed.sort_by(|a, b| (a.run_at, &a.id).cmp(&(b.run_at, &b.id)));
    claimed
}
