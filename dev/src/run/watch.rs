//! `--watch`: what changes is built anew, and what came out of it differently is started again.

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

/// An editor writes several files, or one in several steps: built is what they are when nothing more comes.
const QUIET: Duration = Duration::from_millis(300);

/// What the two programs are made of, beside [`FILES`].
const FOLDERS: [&str; 7] = ["api", "core", "worker", "migrations", "templates", "static", ".sqlx"];
/// In the folder of the workspace, which holds much else. Editors put a new file in the place of the old one: watched is the folder.
const FILES: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

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

/// Whether something was written that may be a source. What is read is not, nor what else lies beside the workspace's own files.
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
        // One that is not taken yet tells as much as many.
        let (tell, changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error may hide a change: cargo knows whether there is one.
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

    /// Returns when something has changed, and nothing has for a moment.
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
