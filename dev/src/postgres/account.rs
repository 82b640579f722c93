//! The account that the server runs under. PostgreSQL refuses root: root runs it as `postgres` or `nobody`, and keeps its
//! files where that account can reach them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A command that runs under the server's account, without the caller's PostgreSQL settings.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ["PGDATA", "PGHOST", "PGPORT", "PGUSER", "PGOPTIONS"] {
        command.env_remove(name);
    }
    command.env("LC_ALL", "C");
    #[cfg(unix)]
    if let Some(account) = unix::lent() {
        use std::os::unix::process::CommandExt as _;
        command.uid(account.uid).gid(account.gid).current_dir("/");
    }
    command
}

/// Makes `dir` the server's own: no other account can read it.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "on Unix it may fail"))]
pub(super) fn give(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
        if let Some(account) = unix::lent() {
            std::os::unix::fs::chown(dir, Some(account.uid), Some(account.gid))?;
        }
    }
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

/// `dir`, or a folder below `/var/tmp` (it survives a restart of the machine) when the server's
/// account cannot reach it, as below `/root`.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "on Unix it may fail"))]
pub(super) fn reachable(dir: &Path) -> anyhow::Result<PathBuf> {
    #[cfg(unix)]
    return unix::reachable(dir);
    #[cfg(not(unix))]
    return Ok(dir.into());
}

/// Lets the server's account read what root has just unpacked, whatever root's umask.
#[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "on Unix it may fail"))]
pub(super) fn share(dir: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if unix::lent().is_some() {
        return unix::share(dir);
    }
    let _ = dir;
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::path::{Path, PathBuf};

    use anyhow::{Context as _, ensure};

    pub struct Account {
        pub uid: u32,
        pub gid: u32,
    }

    /// The account under which root runs the server; `None` for an ordinary user.
    pub fn lent() -> Option<Account> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = |name| passwd.lines().find_map(|line| parse(line, name));
        Some(
            named("postgres")
                .or_else(|| named("nobody"))
                .unwrap_or(Account { uid: 65534, gid: 65534 }),
        )
    }

    /// A line of passwd is `name:password:uid:gid:…`.
    pub fn parse(line: &str, wanted: &str) -> Option<Account> {
        let mut fields = line.split(':');
        if fields.next()? != wanted {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        Some(Account { uid, gid: fields.next()?.parse().ok()? })
    }

    pub fn reachable(dir: &Path) -> anyhow::Result<PathBuf> {
        let Some(account) = lent() else { return Ok(dir.into()) };
        let shut = |dir: &Path| {
            fs::metadata(dir)
                .is_ok_and(|m| m.uid() != account.uid && m.permissions().mode() & 0o001 == 0)
        };
        if !dir.ancestors().any(shut) {
            return Ok(dir.into());
        }
        let base = Path::new("/var/tmp/erp-dev");
        fs::create_dir_all(base).with_context(|| format!("cannot create {}", base.display()))?;
        // Anyone may create a folder there: only one that belongs to root is trusted.
        ensure!(fs::metadata(base)?.uid() == 0, "{} does not belong to root", base.display());
        let name: String = dir
            .display()
            .to_string()
            .trim_start_matches('/')
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
            .collect();
        Ok(base.join(name))
    }

    pub fn share(dir: &Path) -> std::io::Result<()> {
        let metadata = fs::symlink_metadata(dir)?;
        if metadata.is_symlink() {
            return Ok(());
        }
        let mode = metadata.permissions().mode();
        let execute = if metadata.is_dir() || mode & 0o100 != 0 { 0o111 } else { 0 };
        fs::set_permissions(dir, fs::Permissions::from_mode(mode | 0o444 | execute))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(dir)? {
                share(&entry?.path())?;
            }
        }
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::unix::parse;

    #[test]
    fn a_line_of_passwd_gives_the_ids_of_the_named_account_only() {
        let line = "postgres:x:101:104:PostgreSQL administrator,,,:/var/lib/postgresql:/bin/bash";
        let account = parse(line, "postgres").unwrap();
        assert_eq!((account.uid, account.gid), (101, 104));
        assert!(parse(line, "post").is_none());
        assert!(parse("postgres:x:?:104", "postgres").is_none());
    }
}
