//! Files attached to an intervention: received by the API, checked and prepared by the worker, then served.
pub mod jobs;
pub mod kind;
pub mod lots;
mod quota;
mod store;
mod types;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

pub use kind::FileKind;
pub use quota::{ensure_quota, most_uploaded};
pub use store::{
    find, find_by_fichier, find_for_update, list, list_of_equipement, list_of_intervention,
};
pub use types::{
    DeposePar, Document, DocumentOut, DocumentUpdate, NewDocument, Prepared, SORTABLE,
    StatutDocument,
};

use crate::{
    Code, Error, Noun, Result, Text, Tx, error::OnConstraint as _, jobs::enqueue, scope::Reach,
};

impl Noun {
    pub const DOCUMENT: Self =
        Self::new(Code::DocumentIntrouvable, "Document introuvable.", "Document not found.");
}

/// Records a file that is already in storage, and enqueues its processing. `TooMany` if it would take the uploads of its user
/// today above `quota_mib` (0: no limit). For a lot, also the errors of [`lots::ensure_open`].
pub async fn receive(
    tx: &mut Tx<'_>,
    new: &NewDocument,
    quota_mib: u32,
    now: DateTime<Utc>,
) -> Result<Document> {
    quota::count(tx, new.depose_par, new.size_bytes, quota_mib, now).await?;
    let id = store::insert(tx, new, now)
        .await
        .on_constraint("documents_intervention_id_fkey", || Error::NotFound(Noun::INTERVENTION))?;
    let document = store::find(&mut **tx, id).await?;
    match new.lot_id {
        Some(lot) => lots::add(tx, lot, &document, new.depose_par).await?,
        None => enqueue(tx, &jobs::ProcessDocument::of(&document)).await?,
    }
    Ok(document)
}

/// Changes the description of `document`, which was read by [`find_for_update`] in this transaction. `Forbidden` if it is out of `reach`.
pub async fn update(
    tx: &mut Tx<'_>,
    document: Document,
    edit: DocumentUpdate,
    reach: Reach,
) -> Result<Document> {
    if !reach.covers(document.depose_par) {
        return Err(Error::Forbidden {
            code: Code::DocumentDUnAutre,
            text: Text::new(
                "Ce document a été déposé par quelqu'un d'autre : demandez à un responsable de le modifier.",
                "This document was uploaded by somebody else: ask a manager to change it.",
            ),
        });
    }
    let id = document.id;
    let description = edit.description.over(document.description);
    store::set_description(tx, id, description.as_deref()).await?;
    store::find(&mut **tx, id).await
}

/// Enqueues the processing of a document again, from its original file.
pub async fn reprocess(tx: &mut Tx<'_>, id: i64) -> Result<Document> {
    store::set_pending(tx, id).await?;
    let document = store::find(&mut **tx, id).await?;
    enqueue(tx, &jobs::ProcessDocument::again(&document)).await?;
    Ok(document)
}

/// Removes a document, and returns it; a job removes its files.
pub async fn delete(tx: &mut Tx<'_>, id: i64) -> Result<Document> {
    let document = store::delete(tx, id).await?;
    enqueue(tx, &jobs::DeleteFiles { keys: document.keys().to_vec() }).await?;
    Ok(document)
}

/// Marks a document as being processed, and returns it; `None` when it is ready already.
pub async fn begin_processing(tx: &mut Tx<'_>, id: i64) -> Result<Option<Document>> {
    let document = store::find_for_update(tx, id).await?;
    match document.status {
        StatutDocument::Ready => Ok(None),
        // After a failure, too: an operator may have its job run again.
        StatutDocument::Pending | StatutDocument::Processing | StatutDocument::Failed => {
            store::set_processing(tx, id).await?;
            Ok(Some(document))
        }
    }
}

/// Marks a document as ready to be served, with the results of its processing; false when the document is gone.
pub async fn make_ready(tx: &mut Tx<'_>, id: i64, prepared: &Prepared) -> Result<bool> {
    store::set_ready(tx, id, prepared).await
}

/// Marks a document as failed, with the reason that users see. A document that is ready stays ready.
pub async fn fail(tx: &mut Tx<'_>, id: i64, reason: &str) -> Result<()> {
    store::set_failed(tx, id, reason).await
}

/// Which of the stored files `keys` belong to no document. A key that does not begin with a UUID is not one of a document, and
/// is left out.
pub async fn without_row(db: impl PgExecutor<'_>, keys: &[String]) -> Result<Vec<String>> {
    let fichier = |key: &str| key.get(..36).and_then(|start| Uuid::try_parse(start).ok());
    let named: Vec<_> = keys.iter().filter_map(|key| fichier(key)).collect();
    let known: HashSet<_> = store::known_files(db, &named).await?.into_iter().collect();
    let unknown = |key: &&String| fichier(key).is_some_and(|name| !known.contains(&name));
    Ok(keys.iter().filter(unknown).cloned().collect())
}
