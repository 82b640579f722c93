//! What the worker does with documents.
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::jobs::Job;

/// Checks an uploaded file and prepares what is served of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ProcessDocument {
    pub document_id: i64,
}

impl Job for ProcessDocument {
    const QUEUE: &'static str = "documents.process";
    const TIMEOUT: Duration = Duration::from_mins(2);
    /// Each takes a core, and up to 512 MiB while it decodes.
    const CONCURRENCY: usize = 2;
    const BATCH: usize = 2;
    const MAX_BACKOFF: Duration = Duration::from_mins(10);
}

/// Removes the files of a document whose row is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeleteFiles {
    pub keys: Vec<String>,
}

impl Job for DeleteFiles {
    const QUEUE: &'static str = "documents.delete";
    const MAX_ATTEMPTS: usize = 20;
}
