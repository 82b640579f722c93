//! Checks uploaded files, prepares what is served of them, and removes files that no row refers to. What is made of the bytes
//! of a file is in [`erp_files`].
pub mod decoder;

use bytes::Bytes;
use erp_core::{
    Error, Noun, Result,
    documents::{
        self, Document, FileKind, Prepared,
        jobs::{DeleteFiles, ProcessDocument},
        lots::{self, ReportLot},
    },
    jobs::Dependency,
};
use erp_files::Content;

use crate::work::Work;

/// Brings a document to `ready`, or to `failed` with its reason: both complete the job. It may run again until the end is
/// recorded: it then writes the same files under the same names.
pub(crate) async fn process(work: Work, job: ProcessDocument) -> Result<()> {
    let document = match begin(&work, job.document_id).await {
        // Removed, perhaps while an earlier attempt wrote the derived files.
        Err(Error::NotFound(Noun::DOCUMENT)) => {
            return delete_files(work, DeleteFiles { keys: job.keys }).await;
        }
        begun => begun?,
    };
    let Some(document) = document else { return Ok(()) };
    // A worker that was killed while it wrote has left a part of a file, which would stay until the purge.
    for key in document.keys() {
        work.storage.remove_unfinished(&key).await?;
    }
    let place = work.decoders.place().await?;
    let bytes = match work.storage.get(&document.key(), work.config.uploads.max_bytes).await {
        // Removed meanwhile, together with its file.
        Err(Error::NotFound(_)) if is_gone(&work, document.id).await? => {
            work.answered(Dependency::Storage);
            return Ok(());
        }
        bytes => bytes?,
    };
    let kind = FileKind::from_extension(&document.extension).ok_or_else(|| {
        anyhow::anyhow!("document {} has the extension {}", document.id, document.extension)
    })?;

    let examined = work.decoders.examine(&bytes, kind).await?;
    drop((bytes, place));
    let prepared = match examined {
        Ok(content) => keep(&work, &document, content).await?,
        Err(defect) => {
            work.answered(Dependency::Storage);
            return fail(&work, document.id, &defect.0).await;
        }
    };
    // Reported only after reading and writing: a full disk still lets one read.
    work.answered(Dependency::Storage);

    let mut tx = work.begin().await?;
    let known = documents::make_ready(&mut tx, document.id, &prepared).await?;
    tx.commit().await?;
    // Deleted meanwhile: the files that we wrote have no owner.
    if known {
        Ok(())
    } else {
        delete_files(work, DeleteFiles { keys: document.keys().to_vec() }).await
    }
}

/// Marks the document as being processed and returns it; `None` when it is ready already.
async fn begin(work: &Work, id: i64) -> Result<Option<Document>> {
    let mut tx = work.begin().await?;
    let document = documents::begin_processing(&mut tx, id).await?;
    tx.commit().await?;
    Ok(document)
}

async fn is_gone(work: &Work, id: i64) -> Result<bool> {
    match documents::find(&work.pool, id).await {
        Ok(_) => Ok(false),
        Err(Error::NotFound(_)) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Writes what was derived from a document, and the original without its metadata.
async fn keep(work: &Work, document: &Document, content: Content) -> Result<Prepared> {
    let picture = match content {
        Content::Picture(picture) => *picture,
        Content::Pages(pages) => {
            return Ok(Prepared { pages: i32::try_from(pages).ok(), ..Prepared::default() });
        }
        Content::Sound => return Ok(Prepared::default()),
    };
    work.storage.put(&document.preview_key(), Bytes::from(picture.preview)).await?;
    work.storage.put(&document.thumbnail_key(), Bytes::from(picture.thumbnail)).await?;
    if let Some(cleaned) = picture.cleaned {
        work.storage.put(&document.key(), Bytes::from(cleaned)).await?;
    }
    Ok(Prepared {
        width: i32::try_from(picture.width).ok(),
        height: i32::try_from(picture.height).ok(),
        pages: None,
        has_previews: true,
    })
}

async fn fail(work: &Work, id: i64, reason: &str) -> Result<()> {
    let mut tx = work.begin().await?;
    documents::fail(&mut tx, id, reason).await?;
    tx.commit().await
}

/// Removes files; a file that is gone already is a success.
pub(crate) async fn delete_files(work: Work, job: DeleteFiles) -> Result<()> {
    for key in &job.keys {
        work.storage.delete(key).await?;
        work.answered(Dependency::Storage);
    }
    Ok(())
}

/// Closes a lot whose time is over, and notifies its owner once all its files have been processed.
pub(crate) async fn report_lot(work: Work, job: ReportLot) -> Result<()> {
    let mut tx = work.begin().await?;
    lots::report(&mut tx, &job, work.clock.now()).await?;
    tx.commit().await
}
