//! A simulated year: every schedule runs at every tick, with a stopped clock and a real database, for 200 plannings and 50
//! interventions. The result is compared with a second, simpler calculation that is independent of the first.
//!
//! `cargo test -p erp-worker --test annee` runs the weeks around a Ramadan; `… -- --ignored --nocapture` the whole year.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod plant;
mod reckoning;

use std::{cmp::Reverse, collections::BinaryHeap, process::Command, time::Instant};

use chrono::{DateTime, Utc};
use erp_core::{
    local,
    schedules::{self, Cron},
    time_rules,
};
use erp_dev::{test_db, zoneinfo};

use plant::Plant;
use reckoning::Counts;

/// From before one clock change until after the next.
#[tokio::test]
async fn around_a_ramadan_every_visit_and_alert_comes_once() {
    compare("2027-02-01T00:00:00Z", "2027-03-22T00:00:00Z").await;
}

/// With both clock changes of Ramadan 2028, and a 29 February.
#[tokio::test]
#[ignore = "takes minutes: by hand"]
async fn in_a_year_every_visit_and_alert_comes_once() {
    compare("2027-06-01T00:00:00Z", "2028-06-01T00:00:00Z").await;
}

/// Morocco has been on UTC since 20 September 2026, and the programs learned it on 1 October: what is planned keeps its
/// local time, nothing comes twice and nothing is left out.
#[tokio::test]
async fn over_the_change_of_september_2026_every_visit_and_alert_comes_once() {
    const NAME: &str = "over_the_change_of_september_2026_every_visit_and_alert_comes_once";
    // The rules apply to a whole process: this test runs in one of its own.
    if std::env::var_os("ERP_TEST_OF_ITS_OWN").is_none() {
        let mut own = Command::new(std::env::current_exe().unwrap());
        own.args([NAME, "--exact", "--nocapture"]).env("ERP_TEST_OF_ITS_OWN", "1");
        assert!(own.status().unwrap().success());
        return;
    }
    // Between 12:30 and 13:30 by the old rules, and after 7:30 by both.
    reckoning::ARRIVAL.set("2026-10-01T12:17:00Z".parse().unwrap());
    compare("2026-09-08T00:00:00Z", "2026-10-12T00:00:00Z").await;
}

async fn compare(from: &str, to: &str) {
    let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
    let plant = Plant::new(from).await;
    let started = Instant::now();
    let ticks = live(&plant, from, to).await;
    let (made, expected) = (plant.counts().await, reckoning::counts(&plant.script, from, to));
    println!("{from} to {to}: {ticks} ticks in {:?}", started.elapsed());
    println!("{:<44}{:>9}{:>9}", "", "made", "reckoned");
    for ((name, made), (_, expected)) in made.lines().into_iter().zip(expected.lines()) {
        println!("{name:<44}{made:>9}{expected:>9}");
    }
    println!(
        "{} mails of notifications for {} of them",
        plant.group_mails().await,
        made.mailed_notifications()
    );
    assert_eq!(made, expected);
    let nothing = Counts::default();
    assert!(made.lines().iter().all(|(name, n)| *n > 0 || nothing.may_be_zero(name)), "{made:?}");
}

/// The ticks to come, the earliest first; those of the same time by name.
type Due = BinaryHeap<Reverse<(DateTime<Utc>, String)>>;

/// Lets time pass; returns the number of ticks.
async fn live(plant: &Plant, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    let schedules = schedules::list(&plant.ctx.pool).await.unwrap();
    let next = |name: &str, after| {
        let schedule = schedules.iter().find(|s| s.name == name).unwrap();
        let zone = local::zone(&schedule.timezone).unwrap();
        Cron::parse(&schedule.cron).unwrap().next(after, &zone)
    };
    let mut due: Due = schedules
        .iter()
        .filter_map(|s| Some(Reverse((next(&s.name, from)?, s.name.clone()))))
        .collect();
    let mut arrival = Some(reckoning::ARRIVAL.get());
    let mut ticks = 0;
    while let Some(Reverse((tick, name))) = due.pop() {
        if arrival.is_some_and(|arrival| arrival < tick) {
            plant.people_act_until(arrival.take().unwrap()).await;
            due.push(Reverse((tick, name)));
            due = other_rules(plant, due).await;
            continue;
        }
        if tick >= to {
            continue;
        }
        plant.people_act_until(tick).await;
        plant.ctx.clock.set(tick);
        plant.run(&name, tick).await;
        due.extend(next(&name, tick).map(|next| Reverse((next, name))));
        ticks += 1;
    }
    ticks
}

/// Installs the rules of 2026c, as in a worker whose system is updated. Returns when everything comes due by them.
async fn other_rules(plant: &Plant, due: Due) -> Due {
    for Reverse((tick, name)) in due {
        sqlx::query!("update schedules set next_run_at = $2 where name = $1", name, tick)
            .execute(&plant.ctx.pool)
            .await
            .unwrap();
    }
    test_db::use_rules("2126c", zoneinfo::RULES_2026C).unwrap();
    let mut tx = plant.ctx.begin().await.unwrap();
    time_rules::in_step(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let after = schedules::list(&plant.ctx.pool).await.unwrap();
    after.into_iter().filter_map(|s| Some(Reverse((s.next_run_at?, s.name)))).collect()
}
