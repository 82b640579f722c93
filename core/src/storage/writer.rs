//! A new file, written piece by piece in constant memory.
//! It is not visible before it is finished, and is removed if it never is.

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt as _, future::BoxFuture};
use object_store::{MultipartUpload, ObjectStoreExt as _, path::Path};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::Storage;
use crate::{Error, Result};

/// A file under way. Holds one part in memory: 128 KiB for a folder, up to 5 MiB for a bucket.
///
/// If the writer is dropped unfinished, also in the middle of a call, a task of its own removes the
/// file, since the request is gone; what a folder or bucket refuses to remove is left to
/// [`Storage::remove_abandoned`] and the purge. (If it is dropped while a bucket is still answering
/// that it opened an upload, that upload stays, without parts, for the life-cycle rule.)
pub struct Writer {
    storage: Storage,
    path: Path,
    buffer: BytesMut,
    /// The right to fill a buffer, where buffers are big; kept until the end.
    permit: Option<OwnedSemaphorePermit>,
    /// Begun with the second part: a file of one part is a single call.
    upload: Option<Box<dyn MultipartUpload>>,
    /// The call that the store has not answered yet. Kept here, so that the removal waits for it: a
    /// part that arrives after its upload was aborted would never be removed.
    call: Option<BoxFuture<'static, object_store::Result<()>>>,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Open,
    /// The last call was made, and is not answered: the file may be visible already.
    Finishing,
    Closed,
}

impl Writer {
    pub(super) fn new(storage: Storage, path: Path) -> Self {
        let buffer = BytesMut::new();
        Self { storage, path, buffer, permit: None, upload: None, call: None, state: State::Open }
    }

    /// Appends `bytes`. Waits for the store when a part is full, and for a buffer when too many
    /// are in use (`Unavailable` past the time limit). After an error or a cancelled call, the
    /// writer may only be dropped or aborted.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            self.reserve().await?;
            if self.buffer.len() == self.storage.part {
                self.send_part().await?;
            }
            let room = self.storage.part - self.buffer.len();
            // Copied, since a slice would keep the whole network buffer behind it alive.
            self.buffer.extend_from_slice(&bytes.split_to(room.min(bytes.len())));
        }
        Ok(())
    }

    /// Makes the file visible, whole and durable.
    pub async fn finish(mut self) -> Result<()> {
        if self.upload.is_some() {
            self.send_part().await?;
        }
        self.state = State::Finishing;
        let last = if let Some(mut upload) = self.upload.take() {
            async move {
                let done = upload.complete().await;
                if done.is_err() {
                    let _ = upload.abort().await;
                }
                done.map(drop)
            }
            .boxed()
        } else {
            let (store, path) = (self.storage.store.clone(), self.path.clone());
            let whole = std::mem::take(&mut self.buffer).freeze();
            async move { store.put(&path, whole.into()).await.map(drop) }.boxed()
        };
        self.ask(last).await?;
        self.state = State::Closed;
        Ok(())
    }

    /// Gives up, and returns once nothing is left (what the store refuses to remove is logged).
    pub async fn abort(mut self) {
        self.state = State::Closed;
        if let Some(call) = self.call.take() {
            let _ = timeout(self.storage.limit, call).await;
        }
        if let Some(mut upload) = self.upload.take()
            && let Err(error) = self.storage.write(upload.abort()).await
        {
            tracing::warn!(file.key = %self.path, %error, "an unfinished file could not be removed");
        }
    }

    async fn reserve(&mut self) -> Result<()> {
        if self.permit.is_none()
            && let Some(buffers) = self.storage.buffers.clone()
        {
            let permit = timeout(self.storage.limit, buffers.acquire_owned()).await;
            let busy =
                |_| Error::unavailable("storage", anyhow::anyhow!("too many uploads at once"));
            self.permit = Some(permit.map_err(busy)?.map_err(anyhow::Error::from)?);
        }
        Ok(())
    }

    async fn send_part(&mut self) -> Result<()> {
        let storage = &self.storage;
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => none.insert(storage.write(storage.store.put_multipart(&self.path)).await?),
        };
        // One part at a time: what the client sends meanwhile waits in its socket.
        let part = std::mem::take(&mut self.buffer).freeze();
        let sending = upload.put_part(part.into());
        self.ask(sending).await
    }

    async fn ask(&mut self, call: BoxFuture<'static, object_store::Result<()>>) -> Result<()> {
        let answer = timeout(self.storage.limit, self.call.insert(call)).await;
        let Ok(answer) = answer else { return Err(self.storage.too_slow()) };
        self.call = None;
        answer.map_err(|error| Error::unavailable("storage", error))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let finishing = self.state == State::Finishing;
        if self.state == State::Closed || (self.upload.is_none() && !finishing) {
            return;
        }
        // Without a runtime the upload to a folder removes its file in its own drop, at once.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (call, upload, permit) = (self.call.take(), self.upload.take(), self.permit.take());
        let (storage, path) = (self.storage.clone(), self.path.clone());
        runtime.spawn(async move {
            if let Some(call) = call {
                let _ = timeout(storage.limit, call).await;
            }
            drop(permit);
            if let Some(mut upload) = upload {
                let _ = storage.write(upload.abort()).await;
            }
            if finishing {
                let _ = storage.write(storage.store.delete(&path)).await;
            }
        });
    }
}
