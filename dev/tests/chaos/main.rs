//! Injects all faults under load, in an order that a seed decides, and checks that everything accepted is done, done once,
//! and never silently wrong. The short forms run with the tests; `cargo chaos` runs the long one and prints its observations
//! (`docs/jobs.md`, "What the chaos does").
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and goes by the clock of the machine"
)]

#[path = "../support/mod.rs"]
mod support;

mod client;
mod episode;
mod fault;
mod files;
mod judge;
mod outage;
mod plan;
mod stage;
mod workload;

use std::time::Instant;

use client::Client;
use episode::Episode;
use plan::Plan;
use stage::Stage;
use workload::Workload;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_is_done_once_whatever_dies() {
    chaos(Plan::deaths()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_accepted_is_done_once_whatever_breaks() {
    chaos(Plan::short()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the long form, by hand: cargo chaos"]
async fn long_form() {
    chaos(Plan::long()).await;
}

async fn chaos(plan: Plan) {
    println!("{plan:?}");
    let mut stage = Stage::set(&plan).await;
    let client = Client::of(&stage).await;
    let workload = Workload::start(&client, &plan);
    let started = Instant::now();
    let (mut dice, mut episodes) = (plan.dice(), Vec::new());
    loop {
        for fault in plan.deck(&mut dice) {
            tokio::time::sleep(plan.pause).await;
            let episode = Episode::of(fault, &mut stage, &client, &plan, &mut dice).await;
            println!("{:7.1} s  {episode}", started.elapsed().as_secs_f64());
            episodes.push(episode);
        }
        if started.elapsed() >= plan.length {
            break;
        }
    }
    workload.stop().await;
    stage.until_all_ended(plan.hurries).await;
    println!("{:7.1} s  everything has ended", started.elapsed().as_secs_f64());
    judge::judge(&stage, &client, &episodes, &plan).await;
}
