//! The jobs of documents.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::Document;
use crate::{
    Result, Tx,
    jobs::{Dependency, Job, enqueue},
};

/// Checks an uploaded file and prepares what is served of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessDocument {
    pub document_id: i64,
    /// The keys of all files that storage may hold for it: a worker that dies while the document is being removed leaves files
    /// that no row names any more.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What distinguishes a later processing of the document from the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reprise: Option<String>,
}

impl ProcessDocument {
    pub(super) fn of(document: &Document) -> Self {
        Self { document_id: document.id, keys: document.keys().to_vec(), reprise: None }
    }

    pub(super) fn again(document: &Document) -> Self {
        Self { reprise: Some(Ulid::generate().to_string()), ..Self::of(document) }
    }
}

impl Job for ProcessDocument {
    const QUEUE: &'static str = "documents.process";
    const NEEDS: &[Dependency] = &[Dependency::Storage];
    const TIMEOUT: Duration = Duration::from_mins(2);
    /// Each attempt takes a core; memory has a budget of its own.
    const CONCURRENCY: usize = 2;
    /// So many files are in memory at once; more attempts would wait for a place within their time limit.
    const MOST_AT_ONCE: usize = 2;
    const MAX_BACKOFF: Duration = Duration::from_mins(10);

    /// By it the jobs of a document are found ([`crate::operate::about`]).
    fn key(&self) -> Option<String> {
        Some(match &self.reprise {
            None => self.document_id.to_string(),
            Some(reprise) => format!("{}:{reprise}", self.document_id),
        })
    }

    async fn abandon(&self, tx: &mut Tx<'_>, _reason: &str, _now: DateTime<Utc>) -> Result<()> {
        let reason =
            "Le traitement du fichier n'a pas abouti : relancez-le, ou renvoyez le fichier.";
        super::fail(tx, self.document_id, reason).await
    }

    /// Removes the files of this attempt if the document was removed, with its files, before the attempt wrote them.
    async fn undo(&self, tx: &mut Tx<'_>) -> Result<()> {
        if super::store::exists(&mut **tx, self.document_id).await? {
            // When the document is removed later, these files are removed with it.
            return Ok(());
        }
        enqueue(tx, &DeleteFiles { keys: self.keys.clone() }).await
    }

    async fn revive(&self, tx: &mut Tx<'_>) -> Result<()> {
        super::store::set_pending_again(tx, self.document_id).await
    }
}

/// Removes the files of a document whose row is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteFiles {
    pub keys: Vec<String>,
}

impl Job for DeleteFiles {
    const QUEUE: &'static str = "documents.delete";
    const NEEDS: &[Dependency] = &[Dependency::Storage];
    const MAX_ATTEMPTS: usize = 20;
}
