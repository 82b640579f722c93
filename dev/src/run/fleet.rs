//! Everything that `cargo dev` has started, and the order in which it ends.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::Environment;
use super::database::Database;
use super::program::{News, Phase, Program};
use super::stop::Signals;
use crate::MailSink;

pub(super) struct Fleet {
    /// Stopped after the programs, so that their last mails still arrive.
    pub mail: Option<MailSink>,
    /// Stopped last.
    pub database: Option<Database>,
    pids: BTreeMap<String, u32>,
    programs: JoinSet<()>,
    restarts: Restarts,
    phase: watch::Sender<Phase>,
    tell: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
}

impl Default for Fleet {
    fn default() -> Fleet {
        let (tell, news) = mpsc::unbounded_channel();
        Fleet {
            mail: None,
            database: None,
            pids: BTreeMap::new(),
            programs: JoinSet::new(),
            restarts: Restarts::default(),
            phase: watch::Sender::default(),
            tell,
            news,
        }
    }
}

impl Fleet {
    /// Starts a program, and starts it again whenever it dies, until [`stop`](Self::stop).
    pub fn start(&mut self, name: &str, path: &Path, environment: &Environment, logs: &Path) {
        let program = Program {
            name: name.into(),
            path: path.into(),
            environment: environment.clone(),
            log: logs.join(format!("{name}.log")),
            restart: self.restarts.of(name),
        };
        self.programs.spawn(program.supervise(self.tell.clone(), self.phase.subscribe()));
    }

    /// A handle that restarts the programs that were started so far.
    pub fn restarts(&self) -> Restarts {
        self.restarts.clone()
    }

    /// Returns when a program has died; records the ones that started meanwhile.
    pub async fn first_death(&mut self) -> anyhow::Error {
        loop {
            let (name, became) = self.next_news().await;
            if let Err(reason) = became {
                return anyhow!("{name} {reason}");
            }
        }
    }

    /// Returns when a program runs in a new process.
    pub async fn changed(&mut self) {
        // A start follows a death; until then the old facts are the best there are.
        while self.next_news().await.1.is_err() {}
    }

    async fn next_news(&mut self) -> News {
        let Some((name, became)) = self.news.recv().await else {
            return std::future::pending().await; // we hold a sender: it does not happen
        };
        if let Ok(pid) = &became {
            self.pids.insert(name.clone(), *pid);
        }
        (name, became)
    }

    /// The process ids of the programs whose name begins with `prefix`, separated by commas.
    pub fn pids(&self, prefix: &str) -> String {
        let pids = self.pids.iter().filter(|(name, _)| name.starts_with(prefix));
        pids.map(|(_, pid)| pid.to_string()).collect::<Vec<_>>().join(",")
    }

    /// Ends everything in order; after a signal meanwhile, the programs are killed. Returns whether anything ran.
    pub async fn stop(mut self, signals: &mut Signals) -> bool {
        let ran = self.database.is_some();
        self.phase.send_replace(Phase::Stop);
        let phase = self.phase.clone();
        let all = async { while self.programs.join_next().await.is_some() {} };
        let mut all = std::pin::pin!(all);
        tokio::select! {
            () = &mut all => {}
            () = signals.received() => {
                phase.send_replace(Phase::Kill);
                all.await;
            }
        }
        if let Some(mail) = self.mail.take() {
            mail.stop().await;
        }
        drop(self.database.take());
        ran
    }
}

/// Restarts running programs.
#[derive(Clone, Default)]
pub(super) struct Restarts(BTreeMap<String, Arc<Notify>>);

impl Restarts {
    fn of(&mut self, name: &str) -> Arc<Notify> {
        self.0.entry(name.to_owned()).or_default().clone()
    }

    /// Asks each program whose name begins with `prefix` to stop in order, and starts it again from its file as it is now.
    pub fn restart(&self, prefix: &str) {
        let named = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
        named.for_each(|(_, restart)| restart.notify_one());
    }
}
