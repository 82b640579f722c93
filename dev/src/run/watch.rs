//! `--watch`: builds what changes, and restarts the programs that came out different.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::fleet::Restarts;
use super::{Environment, Options, build, program};
use crate::cargo::workspace;

/// Editors write several files, or one in several steps: a build begins when no change has come for so long.
const QUIET: Duration = Duration::from_millis(300);

/// The folders whose changes start a build, beside [`FILES`].
const FOLDERS: [&str; 8] =
    ["api", "core", "queue", "worker", "migrations", "templates", "static", ".sqlx"];
/// Files in the folder of the workspace, which holds much else. Editors replace a file by a new one, so the folder is
/// watched.
const FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

/// Runs without end: waits for a change, builds, migrates the schema if `erp-api` has changed, and restarts the programs
/// that have changed. A build or migration that fails leaves everything running as it is.
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

/// Runs the migrations of the program that was just built: our own are from the start of `cargo dev`.
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

/// Tells one build of a program from another, by time and size.
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

/// Whether an event may have changed a source. A read has not; nor has a change of a file in the folder of the workspace
/// that is none of [`FILES`].
fn matters(event: &Event) -> bool {
    let is_source = |path: &PathBuf| {
        path.parent() != Some(workspace())
            || path.file_name().is_some_and(|name| FILES.iter().any(|file| name == *file))
    };
    !matches!(event.kind, EventKind::Access(_))
        && (event.paths.is_empty() || event.paths.iter().any(is_source))
}

/// Changes of the sources, or of the folder that the programs are run from.
struct Changes {
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    fn of(options: &Options) -> anyhow::Result<Self> {
        // One pending message tells as much as many.
        let (tell, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may hide a change: cargo finds out whether there is one.
            if !event.is_ok_and(|event| !matters(&event)) {
                let _ = tell.try_send(());
            }
        })?;
        let mut watch = |folder: &Path, mode| {
            watcher
                .watch(folder, mode)
                .with_context(|| format!("cannot watch {}", folder.display()))
        };
        if let Some(dir) = &options.bin_dir {
            watch(dir, RecursiveMode::NonRecursive)?;
        } else {
            watch(workspace(), RecursiveMode::NonRecursive)?;
            for folder in FOLDERS {
                watch(&workspace().join(folder), RecursiveMode::Recursive)?;
            }
        }
        Ok(Self { changes, _watcher: watcher })
    }

    /// Returns after a change, when no other has come for [`QUIET`].
    async fn next(&mut self) {
        if self.changes.recv().await.is_none() {
            return std::future::pending().await; // the watcher, which we hold, has the sender
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changes.recv()).await {}
    }
}

#[cfg(test)]
mod tests {
    use notify::event::{AccessKind, CreateKind, ModifyKind};

    use super::*;

    #[test]
    fn what_was_written_matters_where_sources_are() {
        let of = |kind, path: &str| matters(&Event::new(kind).add_path(workspace().join(path)));
        let modified = EventKind::Modify(ModifyKind::Any);
        for path in ["Cargo.lock", "Cargo.toml", "core/src/lib.rs", ".sqlx/query-1.json"] {
            assert!(of(modified, path), "{path}");
            assert!(of(EventKind::Create(CreateKind::File), path), "{path}");
            assert!(!of(EventKind::Access(AccessKind::Any), path), "{path}");
        }
        for path in [".env", "README.md", "target", ".git"] {
            assert!(!of(modified, path), "{path}");
        }
        for folder in FOLDERS {
            assert!(workspace().join(folder).is_dir(), "{folder}");
        }
    }
}
