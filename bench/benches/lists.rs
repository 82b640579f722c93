//! Lists of interventions at growing sizes: how long a page and its total take, and by which plan.
use std::{collections::BTreeMap, time::Instant};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use erp_bench::{Plans, Report, median};
use erp_core::{
    input::{Fields, Source},
    interventions::{self, InterventionFilter},
    scope::Scope,
};
use erp_dev::{Postgres, postgres};
use sqlx::{PgPool, postgres::PgPoolOptions};

const SIZES: [i64; 3] = [10_000, 100_000, 1_000_000];
const ROUNDS: usize = 40;
/// The statements that fill the tables anew: `SIZE` interventions at a time, dated back from `NOW`.
const FILL: &str = include_str!("lists.sql");

/// Name, query, and the scope of the reader.
const LISTS: &[(&str, &str, Scope)] = &[
    ("all", "", Scope::All),
    ("the latest", "sort=-date_creation", Scope::All),
    ("by title", "sort=titre", Scope::All),
    ("by cost, the highest first", "sort=-cout_pieces", Scope::All),
    ("the second page by deadline", "sort=date_limite&offset=50", Scope::All),
    ("open ones", "statut=ouverte", Scope::All),
    ("open ones, the oldest first", "statut=ouverte&sort=date_creation", Scope::All),
    ("archived ones, the latest first", "statut=archivee&sort=-date_creation", Scope::All),
    ("late ones", "en_retard=true", Scope::All),
    ("not late ones", "en_retard=false&sort=-id", Scope::All),
    ("of one technicien, the latest first", "technicien_id=7&sort=-id", Scope::All),
    ("of one machine", "equipement_id=11", Scope::All),
    ("urgent ones by priority", "urgence=true&sort=priorite", Scope::All),
    (
        "preventive, high, by deadline",
        "type=preventive&priorite=haute&sort=-date_limite",
        Scope::All,
    ),
    ("of the last 30 days", "date_from=LAST_MONTH", Scope::All),
    ("with a rare word", "q=hydrofuge", Scope::All),
    ("with a common word", "q=garniture", Scope::All),
    ("with two words", "q=moteur echauffement", Scope::All),
    ("with a word of two letters", "q=du", Scope::All),
    ("by type", "sort=type", Scope::All),
    ("as one client sees them", "sort=-id", Scope::Client(3)),
];

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
        for statement in FILL.split(";\n").filter(|statement| !statement.trim().is_empty()) {
            let statement = statement
                .replace("SIZE", &size.to_string())
                .replace("NOW", &now.timestamp().to_string());
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&pool).await?;
        }
        for (n, (_, query, scope)) in LISTS.iter().enumerate() {
            let filter = filter(query, now)?;
            let latencies = measure(&pool, &filter, *scope, now).await?;
            let p99 = latencies.iter().copied().fold(0.0, f64::max);
            times.entry(n).or_default().push((median(latencies), p99));
            if size == SIZES[SIZES.len() - 1] {
                told.push(
                    plans.of(&pool, || interventions::list(&pool, &filter, *scope, now)).await?,
                );
            }
        }
    }
    print(&times, &told);
    drop(pool);
    Ok(())
}

async fn measure(
    pool: &PgPool,
    filter: &InterventionFilter,
    scope: Scope,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<f64>> {
    let mut latencies = Vec::new();
    for _ in 0..=ROUNDS {
        let asked = Instant::now();
        interventions::list(pool, filter, scope, now).await?;
        latencies.push(asked.elapsed().as_secs_f64() * 1000.0);
    }
    latencies.remove(0); // it fills the cache
    Ok(latencies)
}

fn filter(query: &str, now: DateTime<Utc>) -> anyhow::Result<InterventionFilter> {
    let last_month = (now - TimeDelta::days(30)).to_rfc3339();
    let query = format!("limit=50&{query}");
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.map(|(k, v)| (k.to_owned(), v.replace("LAST_MONTH", &last_month)));
    Ok(Fields::pairs(Source::Query, pairs).parse()?)
}

fn print(times: &BTreeMap<usize, Vec<(f64, f64)>>, told: &[Vec<String>]) {
    let mut report = Report::default();
    for (n, (name, query, _)) in LISTS.iter().enumerate() {
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
    for ((name, _, _), plans) in LISTS.iter().zip(told) {
        println!("{name}");
        for plan in plans {
            println!("{plan}\n");
        }
    }
    println!("```");
}
