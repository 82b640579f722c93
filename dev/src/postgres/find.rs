//! Where PostgreSQL is installed on this machine: the first complete installation wins, and one
//! fetched through npm or pip is the last resort.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{bail, ensure};

use super::install;

const EXE: &str = std::env::consts::EXE_SUFFIX;

/// The extensions that the job queue needs. Some packages of PostgreSQL leave them out.
const EXTENSIONS: [&str; 3] = ["hstore.control", "pg_trgm.control", "pgcrypto.control"];

/// The folder of `postgres` and `initdb`. An existing cluster can only be opened by the `major`
/// version that made it, so that one is looked for when given.
///
/// `ERP_DEV_PG_BIN` names the folder itself; `ERP_DEV_PG_FALLBACK` (`npm` or `pypi`) skips everything that is installed.
pub(super) fn bin_dir(major: Option<u32>, cache: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os("ERP_DEV_PG_BIN").map(PathBuf::from) {
        ensure!(
            is_complete(&dir),
            "ERP_DEV_PG_BIN={}: no postgres and initdb with hstore, pg_trgm and pgcrypto there",
            dir.display()
        );
        return of_version(dir, major);
    }
    let forced = std::env::var_os("ERP_DEV_PG_FALLBACK");
    if forced.is_none() {
        let mut installed = candidates().into_iter().filter(|dir| is_complete(dir));
        let fits = |dir: &PathBuf| major.is_none() || version_of(dir) == major;
        if let Some(dir) = installed.find(fits) {
            return Ok(dir);
        }
    }
    of_version(install::fetch(forced.as_deref(), cache)?, major)
}

fn of_version(dir: PathBuf, major: Option<u32>) -> anyhow::Result<PathBuf> {
    let found = version_of(&dir);
    if let Some(major) = major
        && found != Some(major)
    {
        bail!(
            "the cluster was made by PostgreSQL {major}, and {} is PostgreSQL {}: install \
             PostgreSQL {major}, or delete the cluster's folder to begin anew",
            dir.display(),
            found.map_or("of an unknown version".into(), |v| v.to_string()),
        );
    }
    Ok(dir)
}

/// The major version of the server in `bin_dir`.
pub(super) fn version_of(bin_dir: &Path) -> Option<u32> {
    let output = Command::new(program(bin_dir, "postgres")).arg("--version").output().ok()?;
    parse_version(&String::from_utf8_lossy(&output.stdout))
}

/// `postgres (PostgreSQL) 18.4` or `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn parse_version(text: &str) -> Option<u32> {
    text.split_once("(PostgreSQL) ")?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The path of one of PostgreSQL's programs.
pub(super) fn program(bin_dir: &Path, name: &str) -> PathBuf {
    bin_dir.join(format!("{name}{EXE}"))
}

/// Whether the programs we run and the extensions we need are all there.
pub(super) fn is_complete(bin_dir: &Path) -> bool {
    ["postgres", "initdb", "pg_ctl"].iter().all(|name| program(bin_dir, name).is_file())
        && share_dirs(bin_dir)
            .iter()
            .any(|share| EXTENSIONS.iter().all(|file| share.join("extension").join(file).is_file()))
}

fn share_dirs(bin_dir: &Path) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = ["../share", "../share/postgresql", "../share/pgsql"]
        .iter()
        .map(|share| bin_dir.join(share))
        .collect();
    dirs.extend(pg_config(program(bin_dir, "pg_config").as_os_str(), "--sharedir"));
    dirs
}

fn pg_config(program: &OsStr, question: &str) -> Option<PathBuf> {
    let output = Command::new(program).arg(question).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?;
    (!answer.trim().is_empty()).then(|| answer.trim().into())
}

/// Every folder where an installation may be, best first.
fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::env::var_os("PATH")
        .iter()
        .flat_map(std::env::split_paths)
        .filter_map(|dir| program(&dir, "postgres").canonicalize().ok())
        .filter_map(|file| file.parent().map(Path::to_path_buf))
        .collect();
    found.extend(pg_config(OsStr::new("pg_config"), "--bindir"));
    let roots: &[(&str, &str)] = if cfg!(windows) {
        &[(r"C:\Program Files\PostgreSQL", ""), (r"C:\Program Files (x86)\PostgreSQL", "")]
    } else {
        &[
            ("/usr/lib/postgresql", ""),       // Debian, Ubuntu
            ("/usr", "pgsql-"),                // Fedora, RHEL with the packages of postgresql.org
            ("/opt/homebrew/opt", "postgres"), // macOS, Homebrew on Apple silicon, then on Intel
            ("/usr/local/opt", "postgres"),
            ("/Applications/Postgres.app/Contents/Versions", ""),
            ("/Library/PostgreSQL", ""),
        ]
    };
    for (root, prefix) in roots {
        found.extend(versions_below(Path::new(root), prefix));
    }
    found
}

/// The `bin` folders of the versions below `root`, newest first.
fn versions_below(root: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let digits: String =
                name.strip_prefix(prefix)?.chars().filter(char::is_ascii_digit).collect();
            Some((digits.parse().unwrap_or(0), entry.path().join("bin")))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, dir)| dir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_whoever_packaged_the_server() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some(15));
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_version("postgres: command not found"), None);
    }

    #[test]
    fn newer_versions_come_first_and_other_folders_do_not_come_at_all() {
        let root = tempfile::tempdir().unwrap();
        for name in ["pgsql-9", "pgsql-15", "pgsql-16", "share"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        let found = versions_below(root.path(), "pgsql-");
        let names = ["pgsql-16/bin", "pgsql-15/bin", "pgsql-9/bin"];
        assert_eq!(found, names.map(|name| root.path().join(name)));
    }

    #[test]
    fn a_server_without_the_extensions_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        let (bin, extension) = (root.path().join("bin"), root.path().join("share/extension"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&extension).unwrap();
        for name in ["postgres", "initdb", "pg_ctl"] {
            fs::write(program(&bin, name), "").unwrap();
        }
        fs::write(extension.join("hstore.control"), "").unwrap();
        fs::write(extension.join("pg_trgm.control"), "").unwrap();
        assert!(!is_complete(&bin));
        fs::write(extension.join("pgcrypto.control"), "").unwrap();
        assert!(is_complete(&bin));
    }
}
