//! Finds and removes files that nothing refers to any more.
use std::io;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream::BoxStream};
use tokio::time::timeout;

use super::{Place, Storage, folder, path};
use crate::{Error, Result};

impl Storage {
    /// Removes what writers of this key left unfinished when their process was killed. A writer
    /// that is still at work fails and has to begin again.
    /// In a bucket a life-cycle rule does this, as for [`Storage::remove_abandoned`].
    pub async fn remove_unfinished(&self, key: &str) -> Result<()> {
        let Place::Folder(folder) = &self.place else { return Ok(()) };
        let file = folder.join(path(key)?.as_ref());
        self.sweep(move || folder::remove_staged_of(&file)).await
    }

    /// The keys of all files last written before `time`, in no order, a page at a time in memory.
    #[must_use]
    pub fn list_older_than(&self, time: DateTime<Utc>) -> BoxStream<'static, Result<String>> {
        let older = self.limited(self.store.list(None)).filter_map(move |found| async move {
            match found {
                // A file with another kind of name (.gitkeep) is not ours to purge.
                Ok(meta) if meta.last_modified >= time || path(meta.location.as_ref()).is_err() => {
                    None
                }
                Ok(meta) => Some(Ok(String::from(meta.location))),
                Err(error) => Some(Err(error)),
            }
        });
        older.boxed()
    }

    /// Removes what writers left unfinished before `time` when their process was killed; returns how
    /// many. In a bucket a life-cycle rule does this (`AbortIncompleteMultipartUpload`): 0.
    pub async fn remove_abandoned(&self, time: DateTime<Utc>) -> Result<u64> {
        let Place::Folder(folder) = self.place.clone() else { return Ok(0) };
        self.sweep(move || folder::remove_staged(&folder, time.into())).await
    }

    /// Runs `work` on the folder itself, on a thread that may block, within the time limit.
    async fn sweep<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        match timeout(self.limit, tokio::task::spawn_blocking(work)).await {
            Ok(Ok(swept)) => swept.map_err(|error| Error::unavailable("storage", error)),
            Ok(Err(panic)) => Err(Error::Internal(panic.into())),
            Err(_) => Err(self.too_slow()),
        }
    }
}
