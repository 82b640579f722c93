//! Stores bytes under opaque keys, in a local folder or an S3-compatible bucket.
//! Every call has a time limit; an absent file is `NotFound`, anything else that fails is `Unavailable`.

mod bucket;
mod folder;
mod leftovers;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod tests;
mod writer;

use std::{ops::Range, path::Path as FilePath, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{
    FutureExt as _, StreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    GetOptions, GetRange, GetResult, GetResultPayload, ObjectStore, ObjectStoreExt as _,
    aws::AmazonS3,
    list::{PaginatedListOptions, PaginatedListStore as _},
    local::LocalFileSystem,
    path::Path,
    prefix::PrefixStore,
};
use tokio::{sync::Semaphore, time::timeout};

pub use self::{bucket::S3Options, writer::Writer};
use crate::{Code, Error, Noun, Result, metrics::outside};

impl Noun {
    pub const FICHIER: Self =
        Self::new(Code::FichierIntrouvable, "Fichier introuvable.", "File not found.");
}

/// How long one call may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// A part written to the local folder: small, since each upload under way holds one.
const LOCAL_PART: usize = 128 * 1024;
/// S3 refuses smaller parts (but for the last).
const S3_PART: usize = 5 * 1024 * 1024;
/// Part buffers for S3 alive in the process at once: 80 MiB; further uploads wait for one.
const S3_BUFFERS: usize = 16;

/// Where the bytes of files are. Cheap to clone; all clones share connections and limits.
///
/// A key is made of ASCII letters, digits, `-`, `_` and `.`, in parts divided by `/` that do not
/// begin with a dot, up to 255 bytes. Any other key names no file: reading or writing it is `NotFound`.
#[derive(Clone)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    place: Place,
    part: usize,
    /// Limits the part buffers in memory, where parts are big.
    buffers: Option<Arc<Semaphore>>,
    /// [`TIME_LIMIT`]; tests have a shorter one.
    limit: Duration,
}

/// Where the bytes are, for operations that `ObjectStore` does not have.
#[derive(Clone)]
enum Place {
    Folder(PathBuf),
    Bucket(AmazonS3, Path),
}

/// What is known of a stored file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub size: u64,
    /// Changes whenever the bytes change; opaque and without quotes.
    pub etag: Option<String>,
    /// When the bytes were written.
    pub last_modified: DateTime<Utc>,
}

/// A file, or a range of it, being read.
pub struct Download {
    /// Of the whole file, in bytes, also when a range was asked for.
    pub size: u64,
    /// The bytes that `stream` yields; shorter than asked for when the file ends before.
    pub range: Range<u64>,
    /// Changes whenever the bytes change; opaque and without quotes.
    pub etag: Option<String>,
    /// When the bytes were written.
    pub last_modified: DateTime<Utc>,
    /// The bytes, in order; each piece has the time limit of a call, the whole has none.
    pub stream: BoxStream<'static, Result<Bytes>>,
}

impl Storage {
    /// The files of a local folder, which is created when absent.
    ///
    /// A file is on the disk, not only in the system's cache, once its writing has succeeded.
    pub fn local(folder: impl AsRef<FilePath>) -> Result<Self> {
        let shown = folder.as_ref().display().to_string();
        let open = || {
            std::fs::create_dir_all(&folder)?;
            anyhow::Ok((
                LocalFileSystem::new_with_prefix(&folder)?,
                folder.as_ref().canonicalize()?,
            ))
        };
        let (store, folder) = open().with_context(|| format!("cannot use the folder {shown}"))?;
        Ok(Self {
            store: Arc::new(store.with_fsync(true)),
            place: Place::Folder(folder),
            part: LOCAL_PART,
            buffers: None,
            limit: TIME_LIMIT,
        })
    }

    /// The files below `s3://bucket/prefix` (the prefix may be absent). Does not connect yet: see
    /// [`Storage::check`]. A URL or an endpoint of another form is `Internal`.
    pub fn from_url(url: &str, options: S3Options) -> Result<Self> {
        let (bucket, prefix) = bucket::open(url, options)?;
        Ok(Self {
            store: Arc::new(PrefixStore::new(bucket.clone(), prefix.clone())),
            place: Place::Bucket(bucket, prefix),
            part: S3_PART,
            buffers: Some(Arc::new(Semaphore::new(S3_BUFFERS))),
            limit: TIME_LIMIT,
        })
    }

    /// Begins a new file under a key that is not in use. Nothing is visible under the key before
    /// [`Writer::finish`] succeeds, and a writer dropped before leaves nothing behind.
    pub fn writer(&self, key: &str) -> Result<Writer> {
        Ok(Writer::new(self.clone(), path(key)?))
    }

    /// Writes a small file whole, replacing the one that was there; readers see the old or the new.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let path = path(key)?;
        self.write(self.store.put(&path, bytes.into())).await.map(drop)
    }

    /// The whole file. One of more than `max_bytes` is `Internal`, and is not read.
    pub async fn get(&self, key: &str, max_bytes: u64) -> Result<Bytes> {
        let path = path(key)?;
        self.read(async {
            let found = self.store.get(&path).await?;
            let size = found.meta.size;
            Ok(if size > max_bytes { Err(size) } else { Ok(found.bytes().await?) })
        })
        .await?
        .map_err(|size| anyhow!("{key} has {size} bytes, more than {max_bytes}").into())
    }

    /// The file as a stream, or the bytes of `range`, which must not be empty and must begin inside
    /// the file (see [`Storage::stat`]; otherwise `Unavailable`).
    pub async fn open(&self, key: &str, range: Option<Range<u64>>) -> Result<Download> {
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let path = path(key)?;
        let GetResult { payload, meta, range, .. } =
            self.read(self.store.get_opts(&path, options)).await?;
        let stream = match payload {
            GetResultPayload::File(file, _) => folder::read(file, range.clone()),
            GetResultPayload::Stream(stream) => stream,
        };
        Ok(Download {
            size: meta.size,
            range,
            etag: meta.e_tag.as_deref().map(unquoted),
            last_modified: meta.last_modified,
            stream: self.limited(stream),
        })
    }

    /// Size and age of a file, without reading it.
    pub async fn stat(&self, key: &str) -> Result<Stat> {
        let meta = self.read(self.store.head(&path(key)?)).await?;
        Ok(Stat {
            size: meta.size,
            etag: meta.e_tag.as_deref().map(unquoted),
            last_modified: meta.last_modified,
        })
    }

    /// Whether there is a file under this key.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self.stat(key).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a file, and what interrupted writers of it left. Succeeds if there is none.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let Ok(path) = path(key) else { return Ok(()) };
        match self.read(self.store.delete(&path)).await {
            Ok(()) | Err(Error::NotFound(_)) => self.remove_unfinished(key).await,
            Err(error) => Err(error),
        }
    }

    /// Succeeds when the folder is there, or the bucket answers to these credentials.
    pub async fn check(&self) -> Result<()> {
        match &self.place {
            Place::Folder(folder) => self.write(tokio::fs::read_dir(folder)).await.map(drop),
            // The cheapest call that needs both the credentials and the bucket.
            Place::Bucket(bucket, prefix) => {
                let one = PaginatedListOptions { max_keys: Some(1), ..Default::default() };
                self.write(bucket.list_paginated(Some(prefix.as_ref()), one)).await.map(drop)
            }
        }
    }

    /// Runs a call about a file that may be absent (`NotFound`).
    async fn read<T>(&self, call: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        let call = call.map(|result| match result {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            other => other.map(Some),
        });
        self.write(call).await?.ok_or(Error::NotFound(Noun::FICHIER))
    }

    /// Runs a call within the time limit, and measures it; every failure is `Unavailable`.
    async fn write<T, E: Into<anyhow::Error>>(
        &self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T> {
        let call = async {
            match timeout(self.limit, call).await {
                Ok(result) => result.map_err(|error| Error::unavailable("storage", error)),
                Err(_) => Err(self.too_slow()),
            }
        };
        outside("storage", call).await
    }

    fn too_slow(&self) -> Error {
        Error::unavailable("storage", anyhow!("no answer within {:?}", self.limit))
    }

    /// Ends `stream` with an error when a piece of it takes longer than a call may.
    fn limited<T: Send + 'static>(
        &self,
        stream: BoxStream<'static, object_store::Result<T>>,
    ) -> BoxStream<'static, Result<T>> {
        let state = (self.clone(), Some(stream));
        stream::unfold(state, |(storage, stream)| async move {
            let mut stream = stream?;
            match timeout(storage.limit, stream.next()).await {
                Ok(None) => None,
                Ok(Some(Ok(piece))) => Some((Ok(piece), (storage, Some(stream)))),
                Ok(Some(Err(e))) => Some((Err(Error::unavailable("storage", e)), (storage, None))),
                Err(_) => Some((Err(storage.too_slow()), (storage, None))),
            }
        })
        .boxed()
    }
}

/// The path of a valid key. Some keys come from a URL, so an invalid one must reach neither the disk
/// nor the network: `..`, absolute paths, staging files, device names with a colon.
fn path(key: &str) -> Result<Path> {
    let usual = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.');
    let valid = key.len() <= 255
        && key.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        && key.bytes().all(|c| usual(c) || c == b'/');
    if valid { Ok(Path::from(key)) } else { Err(Error::NotFound(Noun::FICHIER)) }
}

fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}
