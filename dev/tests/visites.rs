//! The visits of plannings on real workers that are killed: each due date has exactly one visit.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and may look anywhere"
)]

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rustix::process::Signal;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use support::{Program, System};

/// The steps at which a worker is killed; each has a trigger that waits there.
const STEPS: [(&str, &str); 6] = [
    ("before the intervention", "before insert on interventions for each row"),
    ("after the intervention", "after insert on interventions for each row"),
    ("before its line of historique", "before insert on historique for each row"),
    ("before the dates move on", "before update on plannings for each row"),
    ("at the commit", "after update on plannings deferrable initially deferred for each row"),
    (
        "between the commit and its record",
        "before delete on queue.jobs for each row when (old.queue = 'planning.generate')",
    ),
];

async fn plan(system: &System) -> i64 {
    let nom = uuid::Uuid::new_v4().to_string();
    let machine = json!({"nom": nom, "type": "Pompe", "localisation": "Safi"});
    let machine = system.post("/equipements", machine).await;
    let new = json!({"frequence": "mensuel", "equipement_id": machine["id"], "prochaine_date": "2026-01-31T09:00:00Z"});
    system.post("/planning", new).await["id"].as_i64().unwrap()
}

/// Makes the schedule of the visits due now, and then by `cron`.
async fn due(system: &System, cron: &str) {
    sqlx::query(
        "update schedules set cron = $1, next_run_at = now() where name = 'planning.generate'",
    )
    .bind(cron)
    .execute(&system.ctx.pool)
    .await
    .unwrap();
}

/// Numbers of visits, of their lines of historique, and of plannings whose dates have moved on.
async fn counts(system: &System) -> (i64, i64, i64) {
    let counts = "
        select (select count(*) from interventions where planning_id is not null),
               (select count(*) from historique h join interventions i on i.id = h.intervention_id where planning_id is not null),
               (select count(*) from plannings where derniere_date = '2026-01-31T09:00:00Z' and prochaine_date > now())";
    sqlx::query_as(counts).fetch_one(&system.ctx.pool).await.unwrap()
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !done().await {
        assert!(started.elapsed() < Duration::from_mins(1), "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_at_any_step_leaves_one_visit() {
    join_all(STEPS.map(|(name, trigger)| Box::pin(killed_at(name, trigger)))).await;
}

async fn killed_at(name: &str, trigger: &str) {
    let system = System::start().await;
    let pool = system.ctx.pool.clone();
    let mut gate = PgConnection::connect_with(&pool.connect_options()).await.unwrap();
    let run = async |sql: String| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&pool).await.unwrap();
    };
    run("create function attend() returns trigger language plpgsql as $$
         begin perform pg_advisory_xact_lock(42); return coalesce(new, old); end $$"
        .to_owned())
    .await;
    let kind = if trigger.contains("deferrable") { "constraint trigger" } else { "trigger" };
    run(format!("create {kind} attend {trigger} execute function attend()")).await;
    sqlx::raw_sql("select pg_advisory_lock(42)").execute(&mut gate).await.unwrap();
    plan(&system).await;
    due(&system, "0 0 1 1 *").await;

    let worker = system.worker();
    let waiting = "select exists (select from pg_locks where locktype = 'advisory' and objid = 42 and not granted
                   and database = (select oid from pg_database where datname = current_database()))";
    until(name, async || sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap()).await;
    worker.signal(Signal::KILL);
    drop(worker);
    sqlx::raw_sql("select pg_advisory_unlock(42)").execute(&mut gate).await.unwrap();
    let others = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'erp'
                  and state like '%transaction%'";
    until(name, async || sqlx::query_scalar::<_, i64>(others).fetch_one(&pool).await.unwrap() == 0)
        .await;
    let table = trigger.split(" on ").nth(1).unwrap().split(' ').next().unwrap();
    run(format!("drop trigger attend on {table}")).await;

    let _next = system.worker();
    let done = "select exists (select from queue.ended where queue = 'planning.generate' and outcome = 'done')";
    until(name, async || sqlx::query_scalar(done).fetch_one(&pool).await.unwrap()).await;
    let counts = counts(&system).await;
    println!("killed {name}: {} visit", counts.0);
    assert_eq!(counts, (1, 1, 1), "killed {name}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_workers_and_kills_open_each_visit_once() {
    five_workers(60, 4).await;
}

/// `cargo test -p erp-dev --test visites -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute: by hand"]
async fn five_workers_and_twenty_kills_open_each_of_many_visits_once() {
    five_workers(600, 20).await;
}

async fn five_workers(plannings: usize, kills: usize) {
    let system = System::start().await;
    let mut workers: Vec<Program> = (0..5).map(|_| system.worker()).collect();
    due(&system, "* * * * * *").await;
    for n in 0..plannings {
        plan(&system).await;
        if n % (plannings / kills) == plannings / kills / 2 {
            let victim = n % workers.len();
            workers[victim].signal(Signal::KILL);
            workers[victim] = system.worker();
        }
    }
    let expected = i64::try_from(plannings).unwrap();
    until("visits", async || counts(&system).await.0 >= expected).await;
    // Some more ticks, which would show visits that a second run opens twice.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (visits, lines, moved) = counts(&system).await;
    println!("{kills} kills: {expected} visits expected, {visits} made");
    assert_eq!((visits, lines, moved), (expected, expected, expected));
}
