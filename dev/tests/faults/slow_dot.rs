//! A slow mail server.
use std::time::Duration;

use erp_dev::mail_sink::{
    Step,
    relay::{Act, Gate, Relay, script},
};

use crate::support::{
    System,
    faults::{Fate, copies, token, until},
};

/// As long as a virus scanner may take. RFC 5321, 4.5.3.2.6, requires clients to wait for ten minutes.
const SLOW: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_final_dot_that_is_answered_late_is_waited_for() {
    let system = System::start().await;
    let relay = Relay::start().unwrap();
    relay.play(script::slow_dot(SLOW));
    let intervention = system.intervention().await;
    let _worker = system.worker_to(&relay, &[]);
    let id = system.tell("alerte", system.boss_id, &intervention, &token(0)).await;
    until("the mail is recorded, or leaves again", async || {
        system.fates(system.boss_id).await[&id] != Fate::Open || copies(&relay, &token(0)) > 1
    })
    .await;
    assert_eq!(copies(&relay, &token(0)), 1);
    assert_eq!(system.fates(system.boss_id).await[&id], Fate::Sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_before_the_dot_is_given_up_and_the_mail_leaves_once() {
    let system = System::start_with(&[("SMTP_TIMEOUT_SECONDS", "1")]).await;
    let relay = Relay::start().unwrap();
    let intervention = system.intervention().await;
    let _worker = system.worker_to(&relay, &[]);
    let steps = [Step::Greeting, Step::Hello, Step::Mail, Step::Rcpt, Step::Data];
    for (n, step) in steps.into_iter().enumerate() {
        // This gate is never released.
        let gate = Gate::default();
        relay.play(script::first(1, step, Act::Hold(gate.clone())));
        system.tell("alerte", system.boss_id, &intervention, &token(n)).await;
        system.until_settled(system.boss_id).await;
        assert_eq!(copies(&relay, &token(n)), 1, "{step:?}");
    }
    assert!(system.fates(system.boss_id).await.values().all(|fate| *fate == Fate::Sent));
}
