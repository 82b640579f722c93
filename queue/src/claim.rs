//! Taking jobs.
use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

use crate::{Result, breaker::PROBE_LEASE, presence::Key};

/// After so many workers that died running it a job is what kills them: it is dead.
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
    /// What an attempt before this one has left for it ([`crate::Lease::save_checkpoint`]).
    pub checkpoint: Option<Value>,
    /// When it was due.
    pub run_at: DateTime<Utc>,
    /// Seconds that it was ready before it was claimed.
    pub waited: f64,
    /// When it was claimed, by the database's clock: tells this attempt from every other of the job.
    pub since: DateTime<Utc>,
    /// Whether it is to find out if what it needs is back: nobody else does meanwhile.
    pub probe: bool,
}

impl Claimed {
    /// How long something outside has been away for this job, until this attempt began.
    #[must_use]
    pub fn outage(&self) -> Duration {
        let lasted = self.outage_since.and_then(|since| (self.since - since).to_std().ok());
        lasted.unwrap_or_default()
    }

    pub(crate) fn key(&self) -> Key {
        (self.id.clone(), self.since)
    }

    /// Attempts that count, this one among them: those that were lost with their worker are not its fault.
    #[must_use]
    pub fn own_attempts(&self) -> u32 {
        u32::try_from(self.attempt - self.rescues).unwrap_or(0)
    }

    /// The attempts that it is allowed: those that it was enqueued with, or those of its queue, whichever are fewer.
    #[must_use]
    pub fn allowed_attempts(&self, of_queue: u32) -> u32 {
        u32::try_from(self.max_attempts).unwrap_or(0).max(1).min(of_queue)
    }

    /// Why it is not to be run, whatever its handler would say: it kills workers, or has had its attempts (`max_attempts` are
    /// those of its queue).
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

/// What of metadata is text: whatever else somebody wrote there must not spoil a claim that has been committed.
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

/// What it claims.
pub(crate) struct Wanted<'a> {
    pub(crate) queue: &'a str,
    pub(crate) limit: usize,
    pub(crate) look: Look,
    /// Also those whose workers died while they held them.
    pub(crate) also_rescued: bool,
}

/// Where in a queue a claim begins to look. Of a queue whose oldest jobs are claimed in turn, what lies before them in the index
/// are versions of rows that are gone, and that no vacuum may remove while a snapshot is open: a look from the beginning walks
/// over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// At the beginning.
    All,
    /// At those due then: where the last jobs were found.
    From(DateTime<Utc>),
    /// At those that became due within so long: what was enqueued lately, by a transaction that took no longer than that.
    Within(Duration),
}

impl Look {
    fn from(self) -> Option<DateTime<Utc>> {
        if let Self::From(due) = self { Some(due) } else { None }
    }

    fn seconds(self) -> Option<f64> {
        if let Self::Within(lately) = self { Some(lately.as_secs_f64()) } else { None }
    }
}

/// Claims ready jobs of a queue, oldest first; none of a paused queue.
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
                  and run_at <= statement_timestamp() and lock_by is null and ($5 or rescues = 0)
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
    )
    .fetch_all(worker.db)
    .await?;
    Ok(in_order(rows))
}

/// The same of a queue that needs something outside: while the breaker of one of its `needs` is open one job at the most, the
/// probe, when it is time for one and nobody else runs it.
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
                      and run_at <= statement_timestamp() and lock_by is null and ($5 or rescues = 0)
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
