//! A disk small enough to be filled.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// A file system of its own in a folder, in memory. Dropped, it is unmounted and its files are gone.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a disk of `mebibytes`. Needs root and Linux: elsewhere it returns an error, and what needs a full disk cannot
    /// be tested.
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

    /// The folder where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte.
    pub fn fill(&self) -> std::io::Result<()> {
        let mut file = File::options().create(true).append(true).open(self.filler())?;
        // Ever smaller pieces, for the space that is left when a bigger one does not fit.
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

    /// Frees the space that [`fill`](Self::fill) took.
    pub fn free(&self) -> std::io::Result<()> {
        match fs::remove_file(self.filler()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// A hidden file: tests that count files skip it.
    fn filler(&self) -> PathBuf {
        self.path().join(".filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that is just ending may still have a file open.
        let umount = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !umount.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.path().display());
        }
    }
}
