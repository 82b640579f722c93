//! Lists and the dashboard at growing sizes: how long a page and its total take, and by which plan.
mod cases;

use std::{collections::BTreeMap, time::Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use erp_bench::{Plans, Report, median};
use erp_core::dashboard;
use erp_dev::{Postgres, postgres};
use sqlx::{PgPool, postgres::PgPoolOptions};

use cases::{CASES, Of};

const SIZES: [i64; 3] = [10_000, 100_000, 1_000_000];
const ROUNDS: usize = 40;
/// The statements that fill the tables anew: `SIZE` interventions, five times as many lines of history, and `SIZE` rows of
/// each other table, dated back from `NOW`.
const FILL: [&str; 2] = [include_str!("interventions.sql"), include_str!("others.sql")];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let plans = Plans::capture();
    let dir = tempfile::tempdir()?;
    let config = postgres::Config {
        guard: erp_bench::guard,
        ..postgres::Config::durable(dir.path().join("postgres"))
    };
    let cluster = tokio::task::spawn_blocking(move || Postgres::start(&config)).await??;
    let pool = PgPoolOptions::new().max_connections(1).connect(&cluster.url("postgres")).await?;
    erp_core::migrate(&pool).await?;
    let now = DateTime::from_timestamp(1_795_000_000, 0).context("a time")?;

    let mut times: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    let mut told = Vec::new();
    for size in SIZES {
        eprintln!("{size} rows");
        fill(&pool, size, now).await?;
        for (n, (name, of, query)) in CASES.iter().enumerate() {
            let query = &cases::query(&pool, query, size, now).await?;
            let latencies = measure(&pool, *of, query, now).await.with_context(|| *name)?;
            let p99 = latencies.iter().copied().fold(0.0, f64::max);
            times.entry(n).or_default().push((median(latencies), p99));
            if size == SIZES[SIZES.len() - 1] {
                told.push(plans.of(&pool, || of.read(&pool, query, now)).await?);
            }
        }
    }
    print(&times, &told);
    drop(pool);
    Ok(())
}

async fn fill(pool: &PgPool, size: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let statements = FILL.iter().flat_map(|fill| fill.split(";\n"));
    for statement in statements.filter(|statement| !statement.trim().is_empty()) {
        let statement = statement
            .replace("SIZE", &size.to_string())
            .replace("NOW", &now.timestamp().to_string());
        let first = statement.lines().next().unwrap_or_default().to_owned();
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(pool).await;
        done.with_context(|| first)?;
    }
    // As after a night.
    let mut tx = erp_core::database::begin(pool).await?;
    dashboard::add_up(&mut tx, i64::MAX).await?;
    tx.commit().await?;
    sqlx::raw_sql("vacuum analyze interventions_totaux").execute(pool).await?;
    Ok(())
}

async fn measure(
    pool: &PgPool,
    of: Of,
    query: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::new();
    for _ in 0..=ROUNDS {
        let asked = Instant::now();
        of.read(pool, query, now).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1000.0);
    }
    latencies.remove(0); // it fills the cache
    Ok(latencies)
}

fn print(times: &BTreeMap<usize, Vec<(f64, f64)>>, told: &[Vec<String>]) {
    let mut report = Report::default();
    for (n, (name, _, query)) in CASES.iter().enumerate() {
        let times = times.get(&n).cloned().unwrap_or_default();
        let shown = times
            .iter()
            .map(|(p50, p99)| format!("{p50:.1} / {p99:.1}"))
            .collect::<Vec<_>>()
            .join(" · ");
        let growth = match times.as_slice() {
            [(small, _), .., (large, _)] if *large < 1.0 => {
                format!("× {:.1}, below 1 ms", large / small)
            }
            [(small, _), .., (large, _)] => format!("× {:.1}", large / small),
            _ => String::new(),
        };
        report.line(name, shown, format!("`{query}`"), growth);
    }
    println!(
        "\nA page of 50 and its total, p50 / p99 in ms, at 10 000 · 100 000 · 1 000 000 rows:"
    );
    report.print();
    println!("\nPlans at 1 000 000 rows, of the page and of the total:\n\n```text");
    for ((name, ..), plans) in CASES.iter().zip(told) {
        println!("{name}");
        for plan in plans {
            println!("{plan}\n");
        }
    }
    println!("```");
}
