//! What a document is on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::FileKind;
use crate::enumeration;

enumeration! {
    StatutDocument {
        Pending = "pending",
        Processing = "processing",
        Ready = "ready",
        Failed = "failed",
    }
}

/// The folder of the paths that the frontend sees; the storage's keys are what follows it.
const FOLDER: &str = "static/uploads";

/// One row of `documents`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Document {
    pub id: i64,
    /// The stored name, without its extension.
    pub fichier: Uuid,
    pub extension: String,
    pub filename: String,
    pub intervention_id: i64,
    pub date_upload: DateTime<Utc>,
    pub status: StatutDocument,
    pub content_type: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub pages: Option<i32>,
    pub has_previews: bool,
    pub error: Option<String>,
}

impl Document {
    /// The key of the file as uploaded.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}.{}", self.fichier, self.extension)
    }

    /// The key of the 1600 px WebP.
    #[must_use]
    pub fn preview_key(&self) -> String {
        format!("{}_preview.webp", self.fichier)
    }

    /// The key of the 320 px WebP.
    #[must_use]
    pub fn thumbnail_key(&self) -> String {
        format!("{}_thumbnail.webp", self.fichier)
    }

    /// Every key that may exist for this document.
    #[must_use]
    pub fn keys(&self) -> [String; 3] {
        [self.key(), self.preview_key(), self.thumbnail_key()]
    }
}

/// A file that is in storage, and what is known of it.
#[derive(Debug, Clone)]
pub struct NewDocument {
    pub fichier: Uuid,
    pub kind: FileKind,
    /// Cleaned by [`super::kind::clean_name`].
    pub filename: String,
    pub intervention_id: i64,
    pub depose_par: i64,
    pub size_bytes: i64,
    /// Of the bytes as received, in hexadecimal.
    pub sha256: String,
}

/// What processing learned of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Pixels, of the upright picture.
    pub width: Option<i32>,
    pub height: Option<i32>,
    /// Pages of a PDF.
    pub pages: Option<i32>,
    /// Whether a preview and a thumbnail were written.
    pub has_previews: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DocumentOut {
    pub id: i64,
    /// As uploaded.
    pub filename: String,
    /// `static/uploads/<uuid>.<ext>`
    pub path: String,
    /// `/static/uploads/<uuid>.<ext>`
    pub url: String,
    pub date_upload: DateTime<Utc>,
    pub intervention_id: i64,
    pub status: StatutDocument,
    pub content_type: String,
    /// Of the file as uploaded.
    pub size_bytes: i64,
    /// Of the file as uploaded, in hexadecimal. Pictures are served without their metadata, so these bytes may differ.
    pub sha256: String,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub pages: Option<i32>,
    pub thumbnail_path: Option<String>,
    pub preview_path: Option<String>,
    /// Why it failed, in French.
    pub error: Option<String>,
}

impl From<Document> for DocumentOut {
    fn from(document: Document) -> Self {
        let path = format!("{FOLDER}/{}", document.key());
        let derived = |key: String| document.has_previews.then(|| format!("{FOLDER}/{key}"));
        Self {
            id: document.id,
            url: format!("/{path}"),
            path,
            thumbnail_path: derived(document.thumbnail_key()),
            preview_path: derived(document.preview_key()),
            filename: document.filename,
            date_upload: document.date_upload,
            intervention_id: document.intervention_id,
            status: document.status,
            content_type: document.content_type,
            size_bytes: document.size_bytes,
            sha256: document.sha256,
            width: document.width,
            height: document.height,
            pages: document.pages,
            error: document.error,
        }
    }
}

/// The fields that a list of documents can be sorted by.
pub const SORTABLE: &[&str] =
    &["id", "filename", "date_upload", "intervention_id", "status", "content_type", "size_bytes"];
