//! Files attached to an intervention: received by the API, checked and prepared by the worker, then served.
pub mod jobs;
pub mod kind;
mod store;
mod types;

use chrono::{DateTime, Utc};

pub use kind::FileKind;
pub use store::{find, find_by_fichier, list, list_of_intervention};
pub use types::{Document, DocumentOut, NewDocument, Prepared, SORTABLE, StatutDocument};

use crate::{Error, Noun, Result, Tx, error::OnConstraint as _, jobs::enqueue};

/// Records a file that is already in storage, and enqueues its processing.
pub async fn receive(tx: &mut Tx<'_>, new: &NewDocument, now: DateTime<Utc>) -> Result<Document> {
    let document = store::insert(tx, new, now)
        .await
        .on_constraint("documents_intervention_id_fkey", || Error::NotFound(Noun::Intervention))?;
    enqueue(tx, &jobs::ProcessDocument { document_id: document.id }).await?;
    Ok(document)
}

/// Has a document processed again, from its original.
pub async fn reprocess(tx: &mut Tx<'_>, id: i64) -> Result<Document> {
    store::set_pending(tx, id).await?;
    enqueue(tx, &jobs::ProcessDocument { document_id: id }).await?;
    store::find(&mut **tx, id).await
}

/// Removes a document; its files follow, by a job.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<()> {
    let document = store::delete(tx, id).await?;
    enqueue(tx, &jobs::DeleteFiles { keys: document.keys().to_vec() }).await
}

/// Marks a document as being processed, and returns it; `None` when it has come to its end already.
pub async fn begin_processing(tx: &mut Tx<'_>, id: i64) -> Result<Option<Document>> {
    let document = store::find_for_update(tx, id).await?;
    match document.status {
        StatutDocument::Ready | StatutDocument::Failed => Ok(None),
        StatutDocument::Pending | StatutDocument::Processing => {
            store::set_processing(tx, id).await?;
            Ok(Some(document))
        }
    }
}

/// Marks a document ready to be served, with what was learned of it; false when it is gone.
pub async fn make_ready(tx: &mut Tx<'_>, id: i64, prepared: &Prepared) -> Result<bool> {
    store::set_ready(tx, id, prepared).await
}

/// Marks a document as failed, with the reason that its reader sees. One that is ready stays ready.
pub async fn fail(tx: &mut Tx<'_>, id: i64, reason: &str) -> Result<()> {
    store::set_failed(tx, id, reason).await
}
