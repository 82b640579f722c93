//! Requests a second, each beside its limit, and how the API behaves in a storm of sign-ins.
use std::time::Duration;

use erp_bench::{
    Limits, Report, System, forget_peak, hammer, hammer_each, is_limit, median, peak_mib, request,
};
use hyper::Method;

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(4);
const CLIENTS: usize = 32;
/// Clients that sign in at once: sign-ins wait for each other, and a few keep all cores busy.
const SIGN_INS: usize = 8;
/// Clients that open interventions at once.
const OPENERS: usize = 8;
const STORM: usize = 64;
const NO_PAUSE: Duration = Duration::ZERO;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if is_limit().await? {
        return Ok(());
    }
    let system = System::start().await?;
    let mut report = Report::default();
    let sign_ins = system.sign_ins(STORM).await?;
    requests(&system, &sign_ins[..SIGN_INS], &mut report).await?;
    storm(&system, &sign_ins, &mut report).await?;
    report.print();
    Ok(())
}

/// Measures the figures and their limits in turn, so that other load on the machine affects all alike.
async fn requests(
    system: &System,
    sign_ins: &[hyper::Request<http_body_util::Full<bytes::Bytes>>],
    report: &mut Report,
) -> anyhow::Result<()> {
    let limits = Limits { system, clients: CLIENTS, time: ROUND };
    let server = limits.server()?;
    let health = request(Method::GET, "/health", None, None)?;
    let path = format!("/api/v1/interventions/{}", system.intervention_id);
    let row = request(Method::GET, &path, Some(&system.token), None)?;
    let constant = request(Method::GET, "/", None, None)?;
    let routed = request(Method::GET, "/sqlx", None, None)?;

    let openings = system.openings(OPENERS).await?;
    let opening = Limits { system, clients: OPENERS, time: ROUND };

    let page = request(Method::GET, "/api/v1/interventions?limit=50", Some(&system.token), None)?;

    let (mut opened, mut opened_beside) = (Vec::new(), Vec::new());
    let (mut pages, mut pages_beside) = (Vec::new(), Vec::new());
    let (mut figures, mut beside): ([Vec<f64>; 3], [Vec<f64>; 4]) = Default::default();
    for round in 0..ROUNDS {
        eprintln!("round {} of {ROUNDS}", round + 1);
        let rate = async |address, request, clients| {
            hammer(address, request, clients, ROUND, NO_PAUSE)
                .await
                .map(|outcome| outcome.per_second)
        };
        figures[0].push(rate(system.address, &health, CLIENTS).await?);
        beside[0].push(rate(server.address, &constant, CLIENTS).await?);
        figures[1].push(rate(system.address, &row, CLIENTS).await?);
        beside[1].push(limits.sqlx()?);
        beside[2].push(rate(server.address, &routed, CLIENTS).await?);
        figures[2].push(hammer_each(system.address, sign_ins, ROUND).await?);
        beside[3].push(limits.argon2()?);
        opened.push(hammer_each(system.address, &openings, ROUND).await?);
        opened_beside.push(opening.opening()?);
        // Behind the first round of openings there are more than fifty.
        pages.push(rate(system.address, &page, CLIENTS).await?);
        pages_beside.push(limits.page()?);
    }
    let figures = figures.map(median);
    let beside = beside.map(median);
    let mut line = |what: &str, figure: f64, limit: f64, name: &str, goal: &str| {
        let share = format!("{:.0} %{goal}", 100.0 * figure / limit);
        report.line(what, format!("{figure:.0} /s"), format!("{limit:.0} /s {name}"), share);
    };
    line("GET /health", figures[0], beside[0], "bare axum, a constant", "");
    line(
        "GET /interventions/{id}",
        figures[1],
        beside[1],
        "its two statements, plain sqlx, no HTTP",
        " (goal: 60 %)",
    );
    line("GET /interventions/{id}", figures[1], beside[2], "its two statements in bare axum", "");
    line(
        "GET /interventions?limit=50",
        median(pages),
        median(pages_beside),
        "its two statements, plain sqlx, no HTTP",
        "",
    );
    line("POST /auth/login", figures[2], beside[3], "bare Argon2 on all cores", "");
    line(
        "POST /interventions for a technicien, 8 at once",
        median(opened),
        median(opened_beside),
        "its statements, plain sqlx, no HTTP",
        " (goal: 50 %)",
    );
    Ok(())
}

/// Measures `GET /health` while 64 clients sign in as fast as they can, and the memory that this takes.
async fn storm(
    system: &System,
    sign_ins: &[hyper::Request<http_body_util::Full<bytes::Bytes>>],
    report: &mut Report,
) -> anyhow::Result<()> {
    eprintln!("storm");
    forget_peak(system.api_pid)?;
    let health = request(Method::GET, "/health", None, None)?;
    let time = ROUND * 3;
    let (per_second, asked) = tokio::try_join!(
        hammer_each(system.address, sign_ins, time),
        hammer(system.address, &health, 1, time, Duration::from_millis(5)),
    )?;
    let p99 = asked.quantile_ms(0.99);
    let goal = if p99 < 50.0 { "reached" } else { "missed" };
    report.line(
        "GET /health, p50 in a storm of 64 sign-ins",
        format!("{:.1} ms", asked.quantile_ms(0.5)),
        "",
        "",
    );
    report.line("GET /health, p99 in it", format!("{p99:.1} ms"), "goal: 50 ms", goal);
    report.line("POST /auth/login in it", format!("{per_second:.0} /s"), "", "");
    report.line("API, peak memory in it", format!("{:.0} MiB", peak_mib(system.api_pid)?), "", "");
    Ok(())
}
