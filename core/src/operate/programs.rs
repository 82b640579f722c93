//! The programs that run: each says every ten seconds that it does, and what its attempts have come to since.
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, PgExecutor};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{Ctx, Result, Tx};

/// The interval of these words.
const EACH: Duration = Duration::from_secs(10);
/// One that takes longer is given up; the next one says the same, and more.
const LIMIT: Duration = Duration::from_secs(5);
/// One that was not heard of for longer is taken for stopped.
pub const SILENT: TimeDelta = TimeDelta::minutes(1);
/// Minutes of a chart.
pub const CHART_MINUTES: usize = 60;

/// A name for this process that no other has, also after its end.
#[must_use]
pub fn own_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}-{}", host.trim(), std::process::id(), Uuid::new_v4().simple())
}

/// What the attempts of each queue have come to since it was last written down.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<String, Count>>);

/// Attempts that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    pub done: i32,
    pub failed: i32,
    /// What they took, together.
    pub millis: i64,
}

impl Tally {
    /// Adds an attempt of `queue` that took this long.
    pub fn add(&self, queue: &str, is_done: bool, lasted: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match counts.get_mut(queue) {
            Some(count) => count,
            None => counts.entry(queue.to_owned()).or_default(),
        };
        *(if is_done { &mut count.done } else { &mut count.failed }) += 1;
        count.millis =
            count.millis.saturating_add(i64::try_from(lasted.as_millis()).unwrap_or(i64::MAX));
    }

    fn take(&self) -> BTreeMap<String, Count> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be written down.
    fn restore(&self, taken: BTreeMap<String, Count>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (queue, count) in taken {
            let sum = counts.entry(queue).or_default();
            sum.done += count.done;
            sum.failed += count.failed;
            sum.millis += count.millis;
        }
    }
}

/// Says that this program, called `instance`, runs, and what `tally` has come to; never returns.
pub async fn keep(ctx: &Ctx, program: &'static str, instance: &str, tally: &Tally) -> Infallible {
    loop {
        let counts = tally.take();
        let told = timeout(LIMIT, tell(ctx, program, instance, &counts)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::debug!("operators were not told that this program runs");
            tally.restore(counts);
        }
        tokio::time::sleep(EACH).await;
    }
}

async fn tell(
    ctx: &Ctx,
    program: &str,
    instance: &str,
    counts: &BTreeMap<String, Count>,
) -> Result<()> {
    let mut tx = ctx.begin().await?;
    sqlx::query!(
        r#"
            insert into programmes (instance, programme, version, memoire_octets, vu_le)
            values ($1, $2, $3, $4, clock_timestamp())
            on conflict (instance) do update set memoire_octets = excluded.memoire_octets, vu_le = excluded.vu_le
        "#,
        instance,
        program,
        env!("CARGO_PKG_VERSION"),
        resident_bytes(),
    )
    .execute(&mut *tx)
    .await?;
    if !counts.is_empty() {
        add_up(&mut tx, counts).await?;
    }
    tx.commit().await
}

/// In the order of the queues, as every worker does: two of them never wait for each other.
async fn add_up(tx: &mut PgConnection, counts: &BTreeMap<String, Count>) -> Result<()> {
    let queues: Vec<_> = counts.keys().cloned().collect();
    let done: Vec<_> = counts.values().map(|count| count.done).collect();
    let failed: Vec<_> = counts.values().map(|count| count.failed).collect();
    let millis: Vec<_> = counts.values().map(|count| count.millis).collect();
    sqlx::query!(
        r#"
            insert into rythmes (file, minute, faites, echouees, duree_ms)
            select file, to_timestamp(floor(extract(epoch from clock_timestamp()) / 60) * 60), faites, echouees, duree_ms
            from unnest($1::text[], $2::int[], $3::int[], $4::bigint[]) as n (file, faites, echouees, duree_ms)
            order by file
            on conflict (file, minute) do update set faites = rythmes.faites + excluded.faites,
                echouees = rythmes.echouees + excluded.echouees, duree_ms = rythmes.duree_ms + excluded.duree_ms
        "#,
        &queues,
        &done,
        &failed,
        &millis,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// The memory that this process holds, as Linux says it.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A program that runs, or ran within the last hour.
#[derive(Debug, Clone)]
pub struct ProgramOut {
    pub instance: String,
    /// `erp-api` or `erp-worker`.
    pub programme: String,
    pub version: String,
    pub memoire_octets: Option<i64>,
    pub demarre_le: DateTime<Utc>,
    pub vu_le: DateTime<Utc>,
}

/// The programs that were heard of in the last hour, those heard of last first, two hundred at the most.
pub async fn programs(db: impl PgExecutor<'_>) -> Result<Vec<ProgramOut>> {
    let programs = sqlx::query_as!(
        ProgramOut,
        r#"
            select instance, programme, version, memoire_octets, demarre_le, vu_le from programmes
            where vu_le > clock_timestamp() - interval '1 hour' order by vu_le desc limit 200
        "#
    );
    Ok(programs.fetch_all(db).await?)
}

/// How a queue went in the last hour, minute by minute, the oldest first.
pub async fn rates(db: impl PgExecutor<'_>) -> Result<BTreeMap<String, Vec<Count>>> {
    let rows = sqlx::query!(
        r#"
            select file, faites, echouees, duree_ms,
                (floor(extract(epoch from clock_timestamp()) / 60) - extract(epoch from minute) / 60)::int as "ago!"
            from rythmes where minute > clock_timestamp() - interval '1 hour'
        "#
    );
    let mut rates = BTreeMap::<String, Vec<Count>>::new();
    for row in rows.fetch_all(db).await? {
        let minutes =
            rates.entry(row.file).or_insert_with(|| vec![Count::default(); CHART_MINUTES]);
        let place =
            usize::try_from(row.ago).ok().and_then(|ago| CHART_MINUTES.checked_sub(ago + 1));
        if let Some(minute) = place.and_then(|place| minutes.get_mut(place)) {
            *minute = Count { done: row.faites, failed: row.echouees, millis: row.duree_ms };
        }
    }
    Ok(rates)
}

/// Removes programs that were last heard of before `before`, and rates of before, up to `limit` of each; returns the greater number.
pub async fn forget(tx: &mut Tx<'_>, before: DateTime<Utc>, limit: i64) -> Result<usize> {
    let rates = sqlx::query!(
        "delete from rythmes where (file, minute) in (select file, minute from rythmes where minute < $1 limit $2)",
        before,
        limit
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    let programs = sqlx::query!(
        "delete from programmes where instance in (select instance from programmes where vu_le < $1 limit $2)",
        before,
        limit
    )
    .execute(&mut **tx)
    .await?
    .rows_affected();
    Ok(usize::try_from(rates.max(programs)).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_loses_nothing_that_was_not_written_down() {
        let (tally, second) = (Tally::default(), Duration::from_secs(1));
        tally.add("emails", true, second);
        let taken = tally.take();
        tally.add("emails", false, second);
        tally.restore(taken);
        let all = tally.take();
        assert_eq!(all["emails"], Count { done: 1, failed: 1, millis: 2000 });
        assert!(tally.take().is_empty());
    }
}
