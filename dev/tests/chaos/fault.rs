//! The faults, and how long each lasts.
use std::time::Duration;

use chrono::Utc;
use erp_dev::{
    faults::{Network, TableLock},
    mail_sink::{
        Step,
        relay::{Act, Script, script},
    },
};
use rustix::process::Signal;
use tokio::{task::block_in_place, time::sleep};

use super::{
    client::Client,
    plan::{Dice, Plan},
    stage::Stage,
};
use crate::support::faults::{Fate, until};

/// The delay of a slow relay: more than the ten seconds that are the limit of every other step.
const SLOW_DOT: Duration = Duration::from_secs(12);

/// Mails of one process that are between claim and record at the same time: `EMAILS_TRANSMISSIONS`.
const IN_DOUBT_PER_PROCESS: usize = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// `kill -9` of a worker.
    Kill,
    /// A worker is stopped (SIGSTOP) for longer than `WORKER_RESCUE_SECONDS`, then continued.
    Freeze,
    /// A worker is cut off from Postgres for as long.
    Partition,
    /// No byte passes between the programs and Postgres, and no connection is closed.
    BlackHole,
    /// The host of Postgres vanishes, and its address leads to another server.
    Failover,
    /// Postgres is stopped in order: connections are cut, commits are kept.
    Restart,
    /// Postgres is killed, and recovers from its log.
    PowerCut,
    /// A lock blocks all writes to `notifications`.
    Lock,
    /// The disk of the uploads is full.
    DiskFull,
    /// Connections to the mail server are reset.
    RelayAway,
    /// The mail server answers the final dot after 12 s.
    SlowDot,
    /// 450 for each new recipient, once.
    Greylist,
    /// 421 to all.
    Busy,
    /// 451 at one of the steps.
    Later,
    /// A recipient is refused for good (550).
    Refused,
    /// A mail is accepted, and the connection is lost before the answer.
    LostAnswer,
    /// The connection is lost before 354.
    LostBefore354,
}

impl Fault {
    pub const ALL: [Fault; 17] = [
        Self::Kill,
        Self::Freeze,
        Self::Partition,
        Self::BlackHole,
        Self::Failover,
        Self::Restart,
        Self::PowerCut,
        Self::Lock,
        Self::DiskFull,
        Self::RelayAway,
        Self::SlowDot,
        Self::Greylist,
        Self::Busy,
        Self::Later,
        Self::Refused,
        Self::LostAnswer,
        Self::LostBefore354,
    ];

    /// The most mails that one such fault may leave in doubt (sent twice, or marked): those between the final dot and its record
    /// when a process died or fell silent, and those that a server accepted but whose answer was lost (RFC 1047).
    pub fn in_doubt(self, plan: &Plan) -> usize {
        match self {
            // The other processes cannot distinguish a silent process from a dead one.
            Self::Kill | Self::Freeze | Self::Partition => IN_DOUBT_PER_PROCESS,
            Self::LostAnswer => 1,
            // Each worker may be waiting for the answer to a final dot when the network is cut.
            Self::RelayAway => plan.workers * IN_DOUBT_PER_PROCESS,
            _ => 0,
        }
    }

    /// Injects the fault, and returns when it is over; false if the fault is not possible here.
    pub async fn strike(
        self,
        stage: &mut Stage,
        client: &Client,
        plan: &Plan,
        dice: &mut Dice,
    ) -> bool {
        let victim = dice.below(stage.workers.len());
        match self {
            Self::Kill => {
                let worker = &mut stage.workers[victim];
                stage.killed.insert(worker.program.pid(), Utc::now());
                worker.program.signal(Signal::KILL);
                worker.start(&stage.system);
            }
            Self::Freeze => {
                let worker = &stage.workers[victim].program;
                worker.signal(Signal::STOP);
                sleep(plan.outlast).await;
                worker.signal(Signal::CONT);
            }
            Self::Partition => {
                let network = [Network::Cut, Network::Silent][dice.below(2)];
                stage.workers[victim].database.set(network);
                sleep(plan.outlast).await;
                stage.workers[victim].database.set(Network::Pass);
            }
            Self::BlackHole => {
                stage.networks().for_each(|network| network.set(Network::Silent));
                sleep(plan.brief).await;
                stage.networks().for_each(|network| network.set(Network::Pass));
            }
            Self::Failover => {
                let old = stage.server.port();
                stage.networks().for_each(|network| network.fail_over(old));
                block_in_place(|| {
                    stage.server.stop();
                    stage.server.start_elsewhere();
                });
                let new = stage.server.port();
                stage.networks().chain([&stage.back_door]).for_each(|network| network.lead_to(new));
            }
            Self::Restart => block_in_place(|| {
                stage.server.stop();
                stage.server.start_again();
            }),
            Self::PowerCut => {
                stage.server.quit();
                sleep(Duration::from_secs(1)).await;
                block_in_place(|| {
                    stage.server.stop();
                    stage.server.start_again();
                });
            }
            Self::Lock => {
                let lock = TableLock::on_writes(&stage.server.url(), "notifications").await;
                sleep(plan.lock).await;
                lock.unwrap().release().await.unwrap();
            }
            Self::DiskFull => {
                let Some(disk) = &stage.disk else { return false };
                disk.fill().unwrap();
                sleep(plan.outlast).await;
                disk.free().unwrap();
            }
            Self::RelayAway => {
                stage.smtp.set(Network::Cut);
                sleep(plan.brief).await;
                stage.smtp.set(Network::Pass);
            }
            Self::SlowDot | Self::Greylist | Self::Busy | Self::Later => {
                stage.relay.play(self.script(dice));
                let slow = if self == Self::SlowDot { SLOW_DOT } else { Duration::ZERO };
                sleep(plan.brief.max(slow)).await;
            }
            Self::Refused => {
                let id = client.tell_the_refused().await;
                until("the refused mail is given up", async || {
                    stage.system.fates(client.refused).await[&id] == Fate::GivenUp
                })
                .await;
            }
            Self::LostAnswer => {
                let before = stage.relay.misdeeds();
                stage.relay.play(script::lose_the_answer(1));
                until("an answer is lost", async || stage.relay.misdeeds() > before).await;
            }
            Self::LostBefore354 => {
                let before = stage.relay.misdeeds();
                stage.relay.play(script::drop_before_354(1));
                until("a connection is lost", async || stage.relay.misdeeds() > before).await;
            }
        }
        stage.relay.behave();
        true
    }

    /// The script of the mail server during this fault.
    fn script(self, dice: &mut Dice) -> Script {
        match self {
            Self::SlowDot => script::slow_dot(SLOW_DOT),
            Self::Greylist => script::greylist(),
            Self::Busy => script::busy(),
            Self::Later => {
                let steps = [Step::Hello, Step::Mail, Step::Rcpt, Step::Data, Step::Dot];
                let step = steps[dice.below(steps.len())];
                script::always(step, Act::Answer(451, "4.3.0 Plus tard"))
            }
            _ => script::well(),
        }
    }
}
