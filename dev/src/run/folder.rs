//! The folder of one `cargo dev`: everything it keeps, and the facts that scripts read.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use uuid::Uuid;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held as long as we run: a folder has only one `cargo dev`.
    _lock: File,
}

impl Folder {
    /// Creates the folder unless it exists, and locks it.
    pub fn open(dir: &Path) -> anyhow::Result<Folder> {
        let path = std::path::absolute(dir)?;
        for part in ["", "logs", "uploads"] {
            let path = path.join(part);
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        let lock = path.join("lock");
        let lock =
            File::create(&lock).with_context(|| format!("cannot open {}", lock.display()))?;
        ensure!(
            lock.try_lock().is_ok(),
            "another `cargo dev` runs in {}: stop it, or choose another folder with --dir",
            path.display()
        );
        let folder = Folder { path, _lock: lock };
        folder.remove_env(); // left by one that was killed
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The key that signs tokens: made once, so that sessions survive a restart.
    pub fn secret(&self) -> anyhow::Result<String> {
        let path = self.join("secret");
        if let Ok(secret) = fs::read_to_string(&path)
            && !secret.trim().is_empty()
        {
            return Ok(secret.trim().to_owned());
        }
        let secret = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let mut options = File::options();
        options.create(true).truncate(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        writeln!(options.open(&path)?, "{secret}")?;
        Ok(secret)
    }

    /// Tells scripts that everything is up, and where. A reader sees the whole file or none.
    pub fn write_env(&self, facts: &[(&str, String)]) -> anyhow::Result<()> {
        let lines = facts.iter().map(|(key, value)| format!("{key}={}", shell_word(value)));
        let text = lines.collect::<Vec<_>>().join("\n") + "\n";
        let part = self.join("env.part");
        fs::write(&part, text)?;
        fs::rename(part, self.join("env")).context("cannot write the env file")
    }

    /// Tells scripts that nothing is up any more.
    pub fn remove_env(&self) {
        let _ = fs::remove_file(self.join("env"));
    }
}

/// The value as one word of a shell.
fn shell_word(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@?=,%+".contains(c);
    if value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_every_value_as_it_is() {
        let url = "postgres://postgres@127.0.0.1:5432/erp?sslmode=disable";
        assert_eq!(shell_word(url), url);
        assert_eq!(shell_word("l'$mot & co"), r"'l'\''$mot & co'");
    }

    #[test]
    fn a_folder_has_one_user_and_one_secret() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        assert!(Folder::open(dir.path()).unwrap_err().to_string().contains("--dir"));
        let secret = folder.secret().unwrap();
        drop(folder);
        assert_eq!(Folder::open(dir.path()).unwrap().secret().unwrap(), secret);
        assert_eq!(secret.len(), 64);
    }
}
