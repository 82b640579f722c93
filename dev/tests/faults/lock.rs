//! The mail server has accepted a mail, and Postgres cannot record it for a while: this costs time, but sends no second mail.
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use erp_dev::{
    faults::TableLock,
    mail_sink::{
        Step, Turn,
        relay::{Act, Gate, Relay, script},
    },
};

use crate::support::{
    Program, System,
    faults::{Fate, copies, token, until},
    server::Server,
};

/// Long enough for a retry of the mail, if there were one.
const FAULT: Duration = Duration::from_secs(8);

/// One mail that the relay has received and not yet answered.
struct Handover {
    relay: Relay,
    gate: Gate,
    id: i64,
    _worker: Program,
}

impl Handover {
    async fn begin(system: &System, settings: &[(&str, &str)]) -> Self {
        let (relay, gate) = (Relay::start().unwrap(), Gate::default());
        relay.play(script::first(1, Step::Dot, Act::Hold(gate.clone())));
        let worker = system.worker_to(&relay, settings);
        let intervention = system.intervention().await;
        let id = system.tell("alerte", system.boss_id, &intervention, &token(0)).await;
        until("the mail has been handed over", async || gate.waiting() == 1).await;
        Self { relay, gate, id, _worker: worker }
    }

    /// The relay answers 250.
    fn accept(&self) {
        assert!(self.gate.release(Turn::Go));
    }

    fn left_again(&self) -> bool {
        copies(&self.relay, &token(0)) > 1
    }

    /// Waits for the duration of the fault, or until the mail has left a second time.
    async fn wait_out(&self) {
        let begun = Instant::now();
        while begun.elapsed() < FAULT && !self.left_again() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn left_once(&self, system: &System) {
        system.until_settled(system.boss_id).await;
        assert_eq!(copies(&self.relay, &token(0)), 1);
        assert_eq!(system.fates(system.boss_id).await[&self.id], Fate::Sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_statement_limit_ends_is_written_later() {
    let system = System::start().await;
    let mail = Handover::begin(&system, &[]).await;
    let lock = TableLock::on_writes(system.database_url(), "notifications").await.unwrap();
    let lock = tokio::sync::Mutex::new(lock);
    mail.accept();
    // Cancels each waiting statement, as `statement_timeout` would, until three were cancelled.
    let cancelled = AtomicUsize::new(0);
    until("the record is tried again, or the mail leaves again", async || {
        cancelled.fetch_add(lock.lock().await.cancel_waiting().await.unwrap(), Relaxed);
        cancelled.load(Relaxed) >= 3 || mail.left_again()
    })
    .await;
    lock.into_inner().release().await.unwrap();
    mail.left_once(&system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_the_lock_limit_ends_is_written_later() {
    let system = System::start().await;
    let url = format!("{}&options=-c%20lock_timeout%3D1s", system.database_url());
    let mail = Handover::begin(&system, &[("DATABASE_URL", &url)]).await;
    let lock = TableLock::on_writes(system.database_url(), "notifications").await.unwrap();
    mail.accept();
    mail.wait_out().await;
    lock.release().await.unwrap();
    mail.left_once(&system).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_a_server_of_replicas_refuses_is_written_later() {
    let server = Server::start().await;
    let system = server.system().await;
    let mail = Handover::begin(&system, &[]).await;
    // A server becomes read-only when another one takes its place as the primary.
    let reload = "select pg_reload_conf()";
    server.run(&["alter system set default_transaction_read_only = on", reload]).await;
    mail.accept();
    mail.wait_out().await;
    server.run(&["alter system reset default_transaction_read_only", reload]).await;
    mail.left_once(&system).await;
}
