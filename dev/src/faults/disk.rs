//! A disk small enough to be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// A file system of its own in a folder, in memory. Dropped, it is gone with all that is on it.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a disk of `mebibytes`. Only root may, and only on Linux: elsewhere this is an error, and what needs a full
    /// disk cannot be shown.
    pub fn mount(mebibytes: u32) -> anyhow::Result<SmallDisk> {
        let folder = tempfile::tempdir()?;
        let size = format!("size={mebibytes}m,mode=0777");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "erp-small-disk"]).arg(folder.path());
        let output = mount.stdin(Stdio::null()).output().context("no `mount` here")?;
        ensure!(
            output.status.success(),
            "mount: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(SmallDisk { folder })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> std::io::Result<()> {
        let mut file = File::options().create(true).append(true).open(self.filler())?;
        // Ever smaller pieces, for what is left when a big one does not fit.
        for size in [1 << 20, 4096, 1] {
            let piece = vec![b'x'; size];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives back what [`fill`](Self::fill) took.
    pub fn free(&self) -> std::io::Result<()> {
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// In a folder of its own: what counts files does not see it.
    fn filler(&self) -> PathBuf {
        self.path().join(".filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that ends just now may still have a file open.
        let umount = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !umount.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}
