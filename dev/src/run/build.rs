//! The programs that `cargo dev` runs: built by the cargo that started us.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::process::Command;

use crate::cargo::cargo;

/// The two programs of the system.
#[derive(Debug)]
pub struct Programs {
    /// `erp-api`
    pub api: PathBuf,
    /// `erp-worker`
    pub worker: PathBuf,
}

/// Builds the programs, or finds them in `bin_dir`. Cargo says where they are, whatever target
/// folder or profile is in force.
pub async fn programs(bin_dir: Option<&Path>, release: bool) -> anyhow::Result<Programs> {
    if let Some(dir) = bin_dir {
        let program = |name| dir.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        return Ok(Programs { api: program("erp-api"), worker: program("erp-worker") });
    }
    let mut command = Command::from(cargo());
    // The whole workspace, like cargo's other commands, to share their builds of the dependencies.
    command.args(["build", "--workspace", "--bins"]);
    if cfg!(windows) {
        command.args(["--exclude", "erp-dev"]); // a program that runs cannot be replaced there
    }
    command.arg("--message-format=json-render-diagnostics");
    command.args(release.then_some("--release"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let child = command.spawn().context("cannot run cargo")?;
    let mut running = Running(child.id());
    let built = child.wait_with_output().await?;
    running.0 = None;
    ensure!(built.status.success(), "the build failed");
    let find = |name| executable(&built.stdout, name).with_context(|| format!("no program {name}"));
    Ok(Programs { api: find("erp-api")?, worker: find("erp-worker")? })
}

/// A running build. Dropped before it has ended, as by Ctrl-C, it is told to end with all its compilers.
struct Running(Option<u32>);

impl Drop for Running {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0.and_then(super::program::pid) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
        }
    }
}

/// The executable `name` among cargo's messages, which are one line of JSON per thing that it built.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    messages.split(|byte| *byte == b'\n').find_map(|line| {
        let message: Value = serde_json::from_slice(line).ok()?;
        let is_it = message["target"]["name"] == name && message["target"]["kind"][0] == "bin";
        is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_what_cargo_says() {
        let said = br#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"erp-api"},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"erp-api"},"executable":"/t/debug/erp-api"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(said, "erp-api").unwrap(), Path::new("/t/debug/erp-api"));
        assert!(executable(said, "erp-worker").is_none());
    }
}
