//! One process that `cargo dev` keeps running: started, started again when it dies, and stopped.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::Environment;

const LOG_LIMIT: u64 = 10 << 20;
const STOP_LIMIT: Duration = Duration::from_secs(30);
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// The name of a program, with its process id or the reason why it has no process.
pub(super) type News = (String, Result<u32, String>);

/// How far the stop has gone; each step includes the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(super) enum Phase {
    #[default]
    Run,
    Stop,
    Kill,
}

#[derive(Debug)]
pub(super) struct Program {
    pub name: String,
    pub path: PathBuf,
    pub environment: Environment,
    pub log: PathBuf,
    /// Notified when a new version of it is to run.
    pub restart: Arc<Notify>,
}

/// Why a process ended.
enum End {
    Told,
    /// Told to stop, in order to be started again.
    Restart,
    /// By itself, for this reason.
    Death(String),
}

impl Program {
    /// Keeps the program running until `phase` says otherwise; when this returns, its process is gone.
    pub async fn supervise(
        self,
        news: mpsc::UnboundedSender<News>,
        mut phase: watch::Receiver<Phase>,
    ) {
        let mut delay = FIRST_DELAY;
        loop {
            let begun = Instant::now();
            let ended = match self.start() {
                Ok((child, output)) => {
                    let _ = news.send((self.name.clone(), Ok(child.id().unwrap_or_default())));
                    self.attend(child, output, &mut phase).await
                }
                Err(error) => End::Death(format!("cannot be started: {error:#}")),
            };
            let reason = match ended {
                End::Told => return,
                End::Restart => {
                    delay = FIRST_DELAY;
                    continue;
                }
                End::Death(reason) => reason,
            };
            if begun.elapsed() > LONGEST_DELAY {
                delay = FIRST_DELAY; // it had run well
            }
            print_line(&format!("[{}] {reason}; again in {delay:.1?}", self.name));
            let _ = news.send((self.name.clone(), Err(reason)));
            tokio::select! {
                () = tokio::time::sleep(delay) => delay = (delay * 2).min(LONGEST_DELAY),
                () = self.restart.notified() => delay = FIRST_DELAY,
                _ = phase.wait_for(|phase| *phase >= Phase::Stop) => return,
            }
        }
    }

    fn start(&self) -> anyhow::Result<(Child, JoinSet<()>)> {
        let mut command = Command::new(&self.path);
        command.envs(&self.environment).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        command.process_group(0); // Ctrl-C is for us: we stop them in order
        let mut child = command.spawn().with_context(|| self.path.display().to_string())?;
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LOG_LIMIT) {
            let _ = fs::remove_file(&self.log);
        }
        let log = File::options().create(true).append(true).open(&self.log)?;
        let log = Arc::new(Mutex::new(log));
        let mut output = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            output.spawn(copy(stdout, self.name.clone(), Arc::clone(&log)));
        }
        if let Some(stderr) = child.stderr.take() {
            output.spawn(copy(stderr, self.name.clone(), log));
        }
        Ok((child, output))
    }

    /// Waits for the end of the process, and ends it when told to.
    async fn attend(
        &self,
        mut child: Child,
        mut output: JoinSet<()>,
        phase: &mut watch::Receiver<Phase>,
    ) -> End {
        let stdin = child.stdin.take(); // held: its end would ask the process to stop
        let ended = tokio::select! {
            status = child.wait() => End::Death(match status {
                Ok(status) => format!("ended ({status})"),
                Err(error) => format!("is lost: {error}"),
            }),
            _ = phase.wait_for(|phase| *phase >= Phase::Stop) => End::Told,
            () = self.restart.notified() => End::Restart,
        };
        if !matches!(ended, End::Death(_)) {
            ask_to_stop(&child);
            #[cfg(not(unix))]
            drop(stdin);
            let stopped = tokio::select! {
                _ = child.wait() => true,
                () = tokio::time::sleep(STOP_LIMIT) => false,
                _ = phase.wait_for(|phase| *phase == Phase::Kill) => false,
            };
            if !stopped {
                print_line(&format!("[{}] does not stop: killed", self.name));
                let _ = child.kill().await;
            }
        }
        #[cfg(unix)]
        drop(stdin);
        // Its last output; a process that it started may hold the pipe open for longer.
        let _ = tokio::time::timeout(Duration::from_secs(1), async {
            while output.join_next().await.is_some() {}
        })
        .await;
        ended
    }
}

#[cfg(unix)]
fn ask_to_stop(child: &Child) {
    if let Some(pid) = child.id().and_then(pid) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// A process id in the form that signals take.
#[cfg(unix)]
pub(super) fn pid(id: u32) -> Option<rustix::process::Pid> {
    rustix::process::Pid::from_raw(i32::try_from(id).ok()?)
}

/// There is no such signal here: the end of input, which follows, is the request.
#[cfg(not(unix))]
fn ask_to_stop(_: &Child) {}

async fn copy(stream: impl AsyncRead + Unpin, name: String, log: Arc<Mutex<File>>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        print_line(&format!("[{name}] {text}"));
        let _ = writeln!(log.lock().unwrap_or_else(PoisonError::into_inner), "{text}");
        line.clear();
    }
}

/// Prints a whole line. A terminal that is closed is no reason to stop.
pub(super) fn print_line(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
