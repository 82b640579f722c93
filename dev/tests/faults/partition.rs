//! A worker loses its jobs while it sends mails: it is cut off from Postgres, or an operator cancels the job.
use std::time::Duration;

use erp_dev::{
    faults::{Network, Proxy},
    mail_sink::{
        Step, Turn,
        relay::{Act, Gate, Relay, script},
    },
};

use crate::support::{
    System,
    faults::{Fate, changed_contents, copies, free_port, port_of, through, token, until},
};

/// The mail jobs that a process runs at once.
const AT_ONCE: usize = 4;
/// Notifications to each person after the fault, one after the other.
const LATER: usize = 8;
/// With grouping, later notifications join an open mail.
const GATHER: (&str, &str) = ("EMAILS_GROUP_SECONDS", "1");
/// With this limit the conversations of the worker that is cut off outlast the rescue of its jobs.
const PATIENT: (&str, &str) = ("SMTP_TIMEOUT_SECONDS", "50");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_that_others_sent_are_left_alone_by_the_worker_that_was_cut_off() {
    let system = System::start_with(&[GATHER]).await;
    let relay = Relay::start().unwrap();
    let proxy = Proxy::start(port_of(system.database_url())).await.unwrap();
    let intervention = system.intervention().await;
    let people = system.people(AT_ONCE).await;

    // Held before 354: none of these conversations transmits a mail.
    let gate = Gate::default();
    relay.play(script::always(Step::Rcpt, Act::Hold(gate.clone())));
    let (cut_off, port) = (through(system.database_url(), &proxy, ""), free_port());
    let address = format!("127.0.0.1:{port}");
    let settings = [("DATABASE_URL", cut_off.as_str()), ("WORKER_BIND_ADDR", &address), PATIENT];
    let _cut_off = system.worker_to(&relay, &settings);
    for (n, person) in people.iter().enumerate() {
        system.tell("information", *person, &intervention, &token(n)).await;
    }
    until("all mails are under way", async || gate.waiting() == AT_ONCE).await;
    relay.behave();
    proxy.set(Network::Cut);

    let _rescuer = system.worker_to(&relay, &[]);
    for person in &people {
        system.until_settled(*person).await;
    }
    // The conversations of the first worker fail one after the other, so that at least one attempt ends and must be recorded
    // before the next heartbeat shows that the job was lost.
    while gate.release(Turn::Close) {
        tokio::time::sleep(Duration::from_millis(125)).await;
    }
    proxy.set(Network::Pass);
    until("the first worker runs nothing any more", async || is_idle(&system, &address).await)
        .await;

    for round in 1..=LATER {
        for (n, person) in people.iter().enumerate() {
            let text = token(round * AT_ONCE + n);
            system.tell("information", *person, &intervention, &text).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for person in &people {
        system.until_settled(*person).await;
        assert!(system.fates(*person).await.values().all(|fate| *fate == Fate::Sent));
    }
    for n in 0..AT_ONCE * (LATER + 1) {
        assert_eq!(copies(&relay, &token(n)), 1, "{}", token(n));
    }
    assert!(changed_contents(&relay.accepted()).is_empty());
}

/// Whether a worker runs no mail job, by its own metrics; false also when it does not answer.
async fn is_idle(system: &System, address: &str) -> bool {
    let Ok(answer) = system.client.get(format!("http://{address}/metrics")).send().await else {
        return false;
    };
    let metrics = answer.text().await.unwrap();
    let mut running =
        metrics.lines().filter(|line| line.starts_with("erp_jobs_running{queue=\"emails"));
    running.all(|line| line.ends_with(" 0"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_was_called_off_stays_so_and_the_next_one_leaves() {
    let system = System::start_with(&[GATHER]).await;
    let relay = Relay::start().unwrap();
    let intervention = system.intervention().await;
    let (admin, person) = (system.admin().await, system.person("personne").await);
    let gate = Gate::default();
    relay.play(script::always(Step::Rcpt, Act::Hold(gate.clone())));
    let _worker = system.worker_to(&relay, &[PATIENT]);
    let first = system.tell("information", person, &intervention, &token(0)).await;
    until("the mail is under way", async || gate.waiting() == 1).await;
    relay.behave();

    let url = format!("{}/admin/jobs/cancel?state=running", system.url);
    let response = system.client.post(url).bearer_auth(&admin).send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.text().await.unwrap());
    // The worker has not noticed the cancellation yet, and tries to record the end of its attempt.
    assert!(gate.release(Turn::Close));
    for round in 1..=LATER {
        system.tell("information", person, &intervention, &token(round)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    system.until_settled(person).await;
    for (id, fate) in system.fates(person).await {
        assert_eq!(fate, if id == first { Fate::GivenUp } else { Fate::Sent });
    }
    assert_eq!(copies(&relay, &token(0)), 0);
    for n in 1..=LATER {
        assert_eq!(copies(&relay, &token(n)), 1, "{}", token(n));
    }
}
