//! Child processes that are measured, and ended together with their owner. Linux only: the figures are those of `/proc`.
use std::{
    fs,
    process::{Command, Stdio},
};

use anyhow::Context as _;

/// A child process. When this is dropped, the process gets a SIGTERM (is killed, where there are no signals) and is waited for.
#[derive(Debug)]
pub struct Child(std::process::Child);

impl Child {
    /// Starts `command` without standard input.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self(command.stdin(Stdio::null()).spawn()?))
    }

    /// Whether it is still running.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Its standard output if that is piped; `None` from the second call on.
    pub fn output(&mut self) -> Option<std::process::ChildStdout> {
        self.0.stdout.take()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        #[cfg(unix)]
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.0),
            rustix::process::Signal::TERM,
        );
        #[cfg(not(unix))]
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The most memory (resident set) that process `pid` has had since its start, or since [`forget_peak`], in MiB.
pub fn peak_mib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line.and_then(|l| l.split_whitespace().next()).context("no VmHWM")?.parse()?;
    Ok(kib / 1024.0)
}

/// Resets the peak memory of process `pid` to its present memory.
pub fn forget_peak(pid: u32) -> anyhow::Result<()> {
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

/// The processor time, in seconds, of process `pid` and of its children that have ended.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    /// `USER_HZ`, the fixed unit of the times that Linux shows to programs.
    const TICKS: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(") ").context("no name")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    // User and system time of its own, then of its children.
    let times = [11, 12, 13, 14].map(|n| fields.get(n).and_then(|f| f.parse::<f64>().ok()));
    let times: Option<Vec<f64>> = times.into_iter().collect();
    Ok(times.with_context(|| format!("no times in /proc/{pid}/stat"))?.iter().sum::<f64>() / TICKS)
}
