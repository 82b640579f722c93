//! The cluster that all test processes of one target folder share: in memory where there is room, not durable, and stopped
//! a few seconds after the last test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::OnceCell;

use super::template;
use crate::postgres::{Config, GUARD_COMMAND, Postgres};

/// Long enough for the next test process of a run to find the server running.
const LINGER: Duration = Duration::from_secs(3);

/// The cluster with its template. Never dropped: its lock makes this process a user until it ends.
pub(super) async fn shared() -> anyhow::Result<&'static Postgres> {
    static CLUSTER: OnceCell<Postgres> = OnceCell::const_new();
    CLUSTER
        .get_or_try_init(async || {
            let cluster = tokio::task::spawn_blocking(|| Postgres::start(&config()?)).await??;
            template::ensure(&cluster).await?;
            Ok(cluster)
        })
        .await
}

/// The configuration of the shared cluster, for data that may be thrown away.
fn config() -> anyhow::Result<Config> {
    let target = target_dir()?;
    Ok(Config {
        dir: in_memory(&target).unwrap_or_else(|| target.join("tmp").join("test-postgres")),
        durable: false,
        guard: guard_exe,
        linger: LINGER,
        ..Config::durable("")
    })
}

/// `target/debug` when this program is `target/debug/deps/some_test-0123456789abcdef`.
fn profile_dir() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let dir = exe.ancestors().find(|dir| dir.ends_with("deps")).and_then(Path::parent);
    Ok(dir.or(exe.parent()).context("this program has no folder")?.to_path_buf())
}

/// The target folder that this program was built into.
fn target_dir() -> anyhow::Result<PathBuf> {
    Ok(profile_dir()?.parent().context("the profile's folder has no parent")?.to_path_buf())
}

#[cfg(unix)]
fn in_memory(target: &Path) -> Option<PathBuf> {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    use std::os::unix::fs::MetadataExt as _;
    /// Room for some dozens of databases; a container often has 64 MB there, which is too little.
    const ROOM: u64 = 1 << 30;
    let free = rustix::fs::statvfs("/dev/shm").ok()?;
    if free.f_bavail.saturating_mul(free.f_frsize) < ROOM {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    let user = rustix::process::geteuid().as_raw();
    let dir = PathBuf::from(format!("/dev/shm/erp-dev-{user}-{:016x}", hasher.finish()));
    // Anyone may create a folder there: only one that belongs to our user is used.
    std::fs::create_dir_all(&dir).ok()?;
    (std::fs::metadata(&dir).ok()?.uid() == user).then_some(dir)
}

#[cfg(not(unix))]
fn in_memory(_: &Path) -> Option<PathBuf> {
    None
}

/// The `erp-dev` of this target folder, built when it is missing or of another version: cargo builds the programs of a
/// package only for that package's own tests.
fn guard_exe() -> anyhow::Result<PathBuf> {
    let exe = profile_dir()?.join(format!("erp-dev{}", std::env::consts::EXE_SUFFIX));
    if !understands_us(&exe) {
        let profile = match profile_dir()?.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev".to_owned(),
            Some(name) => name.to_owned(),
        };
        let mut build = crate::cargo::cargo();
        build.args(["build", "--quiet", "--package", "erp-dev", "--bins", "--profile", &profile]);
        build.arg("--target-dir").arg(target_dir()?);
        let status = build.status().context("cannot run cargo")?;
        ensure!(status.success() && understands_us(&exe), "cargo built no {}", exe.display());
    }
    Ok(exe)
}

/// Whether that program exists and takes the arguments that we would give it.
fn understands_us(exe: &Path) -> bool {
    let question = Command::new(exe).args([GUARD_COMMAND, "version"]).output();
    question.is_ok_and(|answer| answer.stdout == crate::postgres::GUARD_VERSION.as_bytes())
}
