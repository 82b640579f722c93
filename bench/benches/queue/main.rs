//! Compares the queue with its limit and its peers, on one durable Postgres: jobs enqueued and jobs done a second, and how
//! long a job waits.
//!
//! The jobs of every side do nothing. Ours run in real `erp-worker` processes on `documents.delete`, with no file to delete;
//! the limit is plain sqlx on a table of three columns; graphile-worker and procrastinate run as their documentation says.
#![expect(
    clippy::disallowed_methods,
    reason = "tables of others, that our schema does not have; and connections, not work that must happen"
)]

mod peers;
mod rates;
mod raw;
mod side;

use erp_bench::{Report, median};
use erp_dev::{Postgres, postgres};

use self::{peers::Peers, side::Side};

const PROCESSES: [usize; 3] = [1, 2, 4];
const FINISHED: i64 = 1_000_000;
/// Jobs that are ready at once in the part `many`.
const MANY: i64 = 1_000_000;
/// Rounds of a measurement; their median counts.
const ROUNDS: usize = 3;
/// How often the queue is filled and emptied while one snapshot is open.
const SNAPSHOT_ROUNDS: usize = 5;
/// Name, number of jobs, and the pause between two of them in ms.
const LOADS: [(&str, usize, u64); 2] = [("idle", 200, 25), ("500 a second", 5_000, 2)];
/// Jobs that each worker process runs at once, ours and the peers' alike.
const CONCURRENCY: usize = 100;
/// The parts that can be measured alone, by naming them as arguments.
const PARTS: [&str; 3] = ["rest", "many", "snapshot"];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Ours,
    Raw,
    /// Only the insert of one of our rows, by plain sqlx.
    Row,
    Graphile(&'static str),
    Procrastinate,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    for arg in std::env::args().skip(1).filter(|arg| !arg.starts_with('-')) {
        anyhow::ensure!(PARTS.contains(&arg.as_str()), "{arg} is none of {PARTS:?}");
    }
    let worker = erp_dev::run::programs(None, true).await?.worker;
    let dir = tempfile::tempdir()?;
    let config = postgres::Config {
        guard: erp_bench::guard,
        ..postgres::Config::durable(dir.path().join("postgres"))
    };
    let cluster = tokio::task::spawn_blocking(move || Postgres::start(&config)).await??;
    let peers = Peers::install()?;
    let sides = [
        ("erp", Kind::Ours),
        ("raw sqlx, batches of 100", Kind::Raw),
        ("graphile-worker, local queue of 500", Kind::Graphile("batched")),
        ("graphile-worker", Kind::Graphile("plain")),
        ("procrastinate", Kind::Procrastinate),
    ];
    let mut open = Vec::new();
    for (name, kind) in sides {
        open.push(Side::open(name, kind, &cluster, dir.path(), &peers, &worker).await?);
    }
    let table = measure(&open, &peers).await?;
    let mut report = Report::default();
    for (what, figures) in table {
        let ours = figures.iter().find(|(kind, _)| *kind == Kind::Ours);
        let beside: Vec<_> = figures
            .iter()
            .filter(|(kind, _)| *kind != Kind::Ours)
            .map(|(kind, figure)| {
                let name = sides
                    .iter()
                    .find(|(_, k)| k == kind)
                    .map_or("raw insert of the same row", |(name, _)| *name);
                format!("{figure:.1} {name}")
            })
            .collect();
        let ours = ours.map_or_else(String::new, |(_, figure)| format!("{figure:.1}"));
        report.line(&what, ours, beside.join("; "), "");
    }
    report.print();
    Ok(())
}

/// What was measured, and the figure of each side that supports it.
type Table = Vec<(String, Vec<(Kind, f64)>)>;

/// Whether this part is to be measured: every part is, unless arguments name some of [`PARTS`].
fn wants(part: &str) -> bool {
    let named: Vec<_> = std::env::args().filter(|arg| PARTS.contains(&arg.as_str())).collect();
    named.is_empty() || named.iter().any(|name| name == part)
}

/// Measures the sides in turn, so that other load on the machine affects all alike.
async fn measure(sides: &[Side], peers: &Peers) -> anyhow::Result<Table> {
    let mut table: Table = Vec::new();
    let mut keep = |what: String, figures: Vec<(Kind, Vec<f64>)>| {
        let figures: Vec<_> = figures.into_iter().map(|(kind, all)| (kind, median(all))).collect();
        eprintln!("{what}: {figures:?}");
        table.push((what, figures));
    };
    let quick = &sides[..3];
    if wants("rest") {
        at_rest(sides, peers, &mut keep).await?;
    }
    if wants("many") {
        many_ready(quick, peers, &mut keep).await?;
    }
    if !wants("snapshot") {
        return Ok(table);
    }
    let (mut rates, mut p99) = (Vec::new(), Vec::new());
    for side in quick {
        let (last, waits) = side.beside_a_snapshot(peers).await?;
        rates.push((side.kind, last));
        p99.extend(waits.map(|waits| (side.kind, vec![quantile(&waits, 99)])));
    }
    keep(
        format!(
            "no-op jobs a second, 2 processes, the last of {SNAPSHOT_ROUNDS} rounds beside an open snapshot"
        ),
        rates,
    );
    keep("ms from enqueue to start, 500 a second, p99, the snapshot still open".into(), p99);
    Ok(table)
}

type Keep<'a> = dyn FnMut(String, Vec<(Kind, Vec<f64>)>) + 'a;

/// Measures the rate of enqueueing, the rate at which waiting jobs are done, and how long a job waits.
async fn at_rest(sides: &[Side], peers: &Peers, keep: &mut Keep<'_>) -> anyhow::Result<()> {
    let mut rates: Vec<(Kind, Vec<f64>)> =
        sides.iter().map(|side| (side.kind, Vec::new())).collect();
    rates.push((Kind::Row, Vec::new()));
    for _ in 0..ROUNDS {
        for (side, (_, rates)) in sides.iter().zip(&mut rates) {
            rates.push(side.enqueue_rate(side.kind, peers).await?);
        }
        let rate = sides[0].enqueue_rate(Kind::Row, peers).await?;
        rates[sides.len()].1.push(rate);
    }
    keep("enqueued a second, one transaction each, 8 at once".into(), rates);
    for processes in PROCESSES {
        let mut rates: Vec<_> = sides.iter().map(|side| (side.kind, Vec::new())).collect();
        for _ in 0..ROUNDS {
            for (side, (_, rates)) in sides.iter().zip(&mut rates) {
                rates.push(side.work_rate(processes, side.kind.jobs(), peers).await?);
            }
        }
        keep(format!("no-op jobs a second, {processes} processes"), rates);
    }
    for (load, count, pause) in LOADS {
        let (mut p50, mut p99) = (Vec::new(), Vec::new());
        for side in sides {
            let Some(waits) = side.waits(count, pause, peers).await? else { continue };
            p50.push((side.kind, vec![quantile(&waits, 50)]));
            p99.push((side.kind, vec![quantile(&waits, 99)]));
        }
        keep(format!("ms from enqueue to start, {load}, p50"), p50);
        keep(format!("ms from enqueue to start, {load}, p99"), p99);
    }
    Ok(())
}

/// Measures the rate at which jobs are done with a million ready and, of ours, with a million finished rows.
async fn many_ready(quick: &[Side], peers: &Peers, keep: &mut Keep<'_>) -> anyhow::Result<()> {
    let mut rates = Vec::new();
    for side in quick {
        rates.push((side.kind, vec![side.rate_of_many(peers).await?]));
    }
    keep(format!("no-op jobs a second, 2 processes, {MANY} ready"), rates);
    quick[0].fill_finished().await?;
    let mut finished = Vec::new();
    for _ in 0..ROUNDS {
        finished.push(quick[0].work_rate(2, Kind::Ours.jobs(), peers).await?);
    }
    keep(
        format!("no-op jobs a second, 2 processes, {FINISHED} finished rows"),
        vec![(Kind::Ours, finished)],
    );
    quick[0].forget_finished().await?;
    Ok(())
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted
        .get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

impl Kind {
    /// Jobs that are ready at the start of a run: enough that a run takes seconds on each side.
    fn jobs(self) -> i64 {
        match self {
            Self::Ours | Self::Raw | Self::Row | Self::Graphile("batched") => 200_000,
            Self::Graphile(_) => 10_000,
            Self::Procrastinate => 3_000,
        }
    }
}
