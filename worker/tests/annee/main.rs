//! A simulated year: every schedule at every tick, on a stopped clock and a real database, for 200 plannings and 50
//! interventions. What it made is held against a second, simpler reckoning, which knows nothing of the first.
//!
//! `cargo test -p erp-worker --test annee` runs the weeks around a Ramadan; `… -- --ignored --nocapture` the whole year.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod plant;
mod reckoning;

use std::{collections::BinaryHeap, time::Instant};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use erp_core::schedules::{self, Cron};

use plant::Plant;
use reckoning::Counts;

/// From before one change of the clocks until after the other.
#[tokio::test]
async fn around_a_ramadan_every_visit_and_alert_comes_once() {
    compare("2027-02-01T00:00:00Z", "2027-03-22T00:00:00Z").await;
}

/// With both changes of the clocks of Ramadan 2028, and a 29 February.
#[tokio::test]
#[ignore = "takes minutes: by hand"]
async fn in_a_year_every_visit_and_alert_comes_once() {
    compare("2027-06-01T00:00:00Z", "2028-06-01T00:00:00Z").await;
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

/// Lets time pass; how many ticks there were.
async fn live(plant: &Plant, from: DateTime<Utc>, to: DateTime<Utc>) -> usize {
    let schedules = schedules::list(&plant.ctx.pool).await.unwrap();
    let next = |name: &str, after| {
        let schedule = schedules.iter().find(|s| s.name == name).unwrap();
        let zone: Tz = schedule.timezone.parse().unwrap();
        Cron::parse(&schedule.cron).unwrap().next(after, zone).filter(|tick| *tick < to)
    };
    // Earliest first; of the same time, by name.
    let mut due: BinaryHeap<_> = schedules
        .iter()
        .filter_map(|s| Some(std::cmp::Reverse((next(&s.name, from)?, s.name.clone()))))
        .collect();
    let mut ticks = 0;
    while let Some(std::cmp::Reverse((tick, name))) = due.pop() {
        plant.people_act_until(tick).await;
        plant.ctx.clock.set(tick);
        plant.run(&name, tick).await;
        due.extend(next(&name, tick).map(|next| std::cmp::Reverse((next, name))));
        ticks += 1;
    }
    ticks
}
