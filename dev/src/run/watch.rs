//! `--watch`: what changes is built anew, and what came out of it differently is started again.

use std::fs::Metadata;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::fleet::Restarts;
use super::{Environment, Options, build, program};
use crate::cargo::workspace;

/// An editor writes several files, or one in several steps: built is what they are when nothing more comes.
const QUIET: Duration = Duration::from_millis(300);

/// What the two programs are made of.
const SOURCES: [&str; 7] =
    ["api/src", "core", "worker/src", "migrations", "templates", "static", "Cargo.toml"];

/// For ever: waits for a change, builds, brings the schema up to date, and starts again what is not what it was. A build
/// that fails leaves everything as it runs.
pub(super) async fn watch(
    options: &Options,
    programs: &build::Programs,
    environment: &Environment,
    restarts: Restarts,
) -> anyhow::Result<()> {
    let mut changes = Changes::of(options)?;
    let mut known = Versions::of(programs);
    loop {
        changes.next().await;
        if let Err(error) = build::programs(options.bin_dir.as_deref(), options.release).await {
            program::print_line(&format!("  {error:#}: what ran before goes on"));
            continue;
        }
        let built = Versions::of(programs);
        if built.api != known.api
            && let Err(error) = migrate(&programs.api, environment).await
        {
            program::print_line(&format!("  {error:#}: what ran before goes on"));
            continue;
        }
        for (name, is_new) in
            [("api", built.api != known.api), ("worker", built.worker != known.worker)]
        {
            if is_new {
                program::print_line(&format!("  {name} has changed and starts again"));
                restarts.restart(name);
            }
        }
        known = built;
    }
}

/// The migrations of the program that was just built: ours are those of when `cargo dev` began.
async fn migrate(api: &Path, environment: &Environment) -> anyhow::Result<()> {
    let mut command = Command::new(api);
    let done = command.arg("migrate").envs(environment).kill_on_drop(true).output().await?;
    anyhow::ensure!(
        done.status.success(),
        "the migrations fail: {}",
        String::from_utf8_lossy(&done.stderr).trim()
    );
    Ok(())
}

/// Tells one build of a program from another.
struct Versions {
    api: Option<(SystemTime, u64)>,
    worker: Option<(SystemTime, u64)>,
}

impl Versions {
    fn of(programs: &build::Programs) -> Self {
        let version = |path: &Path| {
            let file = path.metadata().ok()?;
            Some((Metadata::modified(&file).ok()?, file.len()))
        };
        Self { api: version(&programs.api), worker: version(&programs.worker) }
    }
}

/// Changes of the sources, or of the folder that the programs are run from.
struct Changes {
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    fn of(options: &Options) -> anyhow::Result<Self> {
        // One that is not taken yet tells as much as many.
        let (tell, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may hide a change: cargo knows whether there is one.
            if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
                let _ = tell.try_send(());
            }
        })?;
        let (folders, mode): (Vec<_>, _) = if let Some(dir) = &options.bin_dir {
            (vec![dir.clone()], RecursiveMode::NonRecursive)
        } else {
            let sources = SOURCES.iter().map(|name| workspace().join(name));
            (sources.collect(), RecursiveMode::Recursive)
        };
        for folder in folders {
            watcher
                .watch(&folder, mode)
                .with_context(|| format!("cannot watch {}", folder.display()))?;
        }
        Ok(Self { changes, _watcher: watcher })
    }

    /// Returns when something has changed, and nothing has for a moment.
    async fn next(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await; // the watcher, which we hold, has the sender
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changes.recv()).await {}
    }
}
