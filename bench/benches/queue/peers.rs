//! The queues of others, set up as their documentation says.
use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::ensure;

use crate::Kind;

/// The peers, installed from their registries beside the other build products.
pub struct Peers {
    source: PathBuf,
    home: PathBuf,
}

impl Peers {
    pub fn install() -> anyhow::Result<Self> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = workspace.join("peers");
        let home = workspace.join("../target/bench-peers");
        std::fs::create_dir_all(&home)?;
        for file in ["package.json", "package-lock.json", "graphile.mjs"] {
            std::fs::copy(source.join(file), home.join(file))?;
        }
        let run = |command: &mut Command| {
            let status = command.current_dir(&home).stdout(Stdio::null()).status()?;
            ensure!(status.success(), "{command:?} failed");
            anyhow::Ok(())
        };
        run(Command::new("npm").args(["ci", "--silent"]))?;
        run(Command::new("python3").args(["-m", "venv", "venv"]))?;
        let wanted = source.join("requirements.txt");
        run(Command::new("venv/bin/pip").args(["install", "-q", "-r"]).arg(wanted))?;
        Ok(Self { source, home })
    }

    /// The program of a peer with its database; the mode and its arguments are to be added.
    pub fn command(&self, kind: Kind, url: &str) -> Command {
        let mut command = if kind == Kind::Procrastinate {
            let mut command = Command::new(self.home.join("venv/bin/python"));
            command.arg(self.source.join("procrastinate_peer.py"));
            command
        } else {
            let mut command = Command::new("node");
            command.arg(self.home.join("graphile.mjs"));
            command
        };
        command.arg(url.replace("?sslmode=disable", ""));
        command
    }

    /// Runs the program of a peer to its end, and returns its output.
    pub fn run(&self, kind: Kind, url: &str, args: &[&str]) -> anyhow::Result<String> {
        let output = self.command(kind, url).args(args).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "a peer failed: {args:?}");
        Ok(String::from_utf8(output.stdout)?)
    }
}
