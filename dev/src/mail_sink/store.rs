//! The folder of mails: one `.eml` file each, which any mail program opens.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;

use super::desk::{Arrived, Desk};
use super::message::{Envelope, Message};

/// Keeps mails of the same millisecond apart, and in their order.
static SEQUENCE: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Debug)]
pub(super) struct Store(Arc<Path>);

impl Desk for Store {
    type Kept = ();

    fn keep(&self, mail: &Arrived) -> std::io::Result<()> {
        self.add(&mail.from, &mail.to, &mail.body)
    }
}

impl Store {
    pub fn open(dir: &Path) -> anyhow::Result<Store> {
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Store(dir.into()))
    }

    /// Keeps a mail. Its file appears whole: no reader sees half of it.
    pub fn add(&self, from: &str, to: &[String], mail: &[u8]) -> std::io::Result<()> {
        let received = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let sequence = SEQUENCE.fetch_add(1, Ordering::Relaxed);
        let path = self.path(&format!("{:013}-{sequence:06}", received.as_millis()));
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(Envelope::header(from, to).as_bytes())?;
        file.write_all(mail)?;
        drop(file);
        fs::rename(&part, &path)
    }

    pub fn all(&self) -> anyhow::Result<Vec<Message>> {
        self.ids()?.iter().filter_map(|id| self.get(id).transpose()).collect()
    }

    /// The mail of that id; `None` if there is none: it may have just been cleared.
    pub fn get(&self, id: &str) -> anyhow::Result<Option<Message>> {
        // Ids are file names that we made: no other name is looked up.
        if !id.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
            return Ok(None);
        }
        match fs::read(self.path(id)) {
            Ok(file) => Message::parse(id, &file).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn clear(&self) -> anyhow::Result<()> {
        for id in self.ids()? {
            match fs::remove_file(self.path(&id)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// All ids, the newest first.
    fn ids(&self) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                ids.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
            }
        }
        ids.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ids)
    }

    fn path(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.eml"))
    }
}
