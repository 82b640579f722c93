//! Ready jobs that a worker's claims pass over: those due before the ones that it found last.
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Claimed, Result, claim::Look};

/// Ready jobs that a worker's claims do not look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Older {
    /// When the first of them was due, and the last of those that were counted.
    pub(crate) first: DateTime<Utc>,
    pub(crate) last: DateTime<Utc>,
    /// How many there are, at most [`MANY_OLDER`].
    pub(crate) count: usize,
}

impl Older {
    /// Whether there may be more than were counted.
    pub(crate) fn are_many(&self) -> bool {
        self.count >= MANY_OLDER
    }

    /// Where a claim finds them. A few: between the first and the last. If other workers have taken them, a claim without that end
    /// would search everything that became due later. Many: from the first on, since more follow.
    pub(crate) fn look(&self) -> Look {
        if self.are_many() { Look::From(self.first) } else { Look::Between(self.first, self.last) }
    }

    /// What is left of them when a claim of at most `limit` has brought `jobs`; nothing if others have taken some.
    pub(crate) fn after(self, jobs: &[Claimed], limit: usize) -> Option<Self> {
        let first = jobs.last()?.run_at;
        (jobs.len() >= limit && jobs.len() < self.count).then(|| Self {
            first,
            count: self.count - jobs.len(),
            ..self
        })
    }
}

/// At this many the search for older jobs ends (the number in its statement, which the planner is to know).
const MANY_OLDER: usize = 100;

/// Counts the ready jobs of a queue that were due before `before`, or all; `None` if there are none, or the queue is paused.
/// It locks and changes nothing, so that it may run beside the claims, and be given up at any time.
pub(crate) async fn older(
    db: &mut PgConnection,
    queue: &str,
    before: Option<DateTime<Utc>>,
) -> Result<Option<Older>> {
    let found = sqlx::query!(
        r#"
            select min(run_at) as first, max(run_at) as last, count(*) as "count!" from (
                select run_at from queue.jobs
                where queue = $1 and run_at < coalesce($2, 'infinity'::timestamptz) and run_at <= statement_timestamp() and lock_by is null
                  and not exists (select from queue.settings where queue = $1 and paused_at is not null)
                order by run_at
                limit 100
            ) as older
        "#,
        queue,
        before,
    )
    .fetch_one(db)
    .await?;
    let count = usize::try_from(found.count).unwrap_or(MANY_OLDER);
    Ok(found.first.zip(found.last).map(|(first, last)| Older { first, last, count }))
}
