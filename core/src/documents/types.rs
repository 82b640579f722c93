//! The types of documents, on the wire and in the program.
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::FileKind;
use crate::keys::SignedUrls;
use crate::{
    enumeration,
    input::{Input, Patch},
    page::Columns,
    users::{NomEtFonction, UserRole},
    versioned,
};

enumeration! {
    StatutDocument {
        Pending = "pending",
        Processing = "processing",
        Ready = "ready",
        Failed = "failed",
    }
}

/// The folder in the paths that the frontend sees; the rest of a path is the key in storage.
const FOLDER: &str = "static/uploads";

/// One row of `documents`.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, Columns)]
pub struct Document {
    pub id: i64,
    /// The stored name, without its extension.
    pub fichier: Uuid,
    pub extension: String,
    pub filename: String,
    pub description: Option<String>,
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
    pub version: i64,
    /// The user who uploaded it; `None` when not known any more.
    pub depose_par: Option<i64>,
    /// From the joined row of `users`: the name of that user, and in `depose_par_role` the role.
    #[columns(beside = "u.full_name")]
    pub depose_par_nom: Option<String>,
    #[columns(beside = "u.role")]
    pub depose_par_role: Option<UserRole>,
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
    pub description: Option<String>,
    /// The lot that it belongs to.
    pub lot_id: Option<i64>,
}

/// What an edit of a document changes.
#[derive(Debug, Clone, Input)]
pub struct DocumentUpdate {
    pub description: Patch<String>,
}

/// Who brought a document: the id and the name for staff, the name and the function for users of a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum DeposePar {
    Compte { id: i64, full_name: String },
    Nom(NomEtFonction),
}

/// The results of processing a document.
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
    /// `/static/uploads/<uuid>.<ext>?fin=…&signature=…`: whoever has it reads the file for an hour at the most.
    pub url: String,
    pub date_upload: DateTime<Utc>,
    pub intervention_id: i64,
    pub status: StatutDocument,
    pub content_type: String,
    /// The same as `content_type`.
    pub mime: String,
    /// Who uploaded it; null when that is not known any more.
    pub uploaded_by: Option<DeposePar>,
    /// What its readers should know of it.
    pub description: Option<String>,
    /// Of the file as uploaded.
    pub size_bytes: i64,
    /// Of the file as uploaded, in hexadecimal. Pictures are served without their metadata, so these bytes may differ.
    pub sha256: String,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub pages: Option<i32>,
    pub thumbnail_path: Option<String>,
    pub preview_path: Option<String>,
    /// `thumbnail_path`, signed like `url`.
    pub thumbnail_url: Option<String>,
    /// `preview_path`, signed like `url`.
    pub preview_url: Option<String>,
    /// Why it failed, in French.
    pub error: Option<String>,
    /// What an edit names in `If-Match`: raised whenever an edit changes something, not while it is processed.
    pub version: i64,
}

versioned!(DocumentOut);

impl Document {
    /// Who uploaded it, as staff or (`outside`) a user of a client sees it.
    fn depose_par(&self, outside: bool) -> Option<DeposePar> {
        let (id, full_name) = (self.depose_par?, self.depose_par_nom.clone()?);
        Some(if outside {
            let fonction = self.depose_par_role?.into();
            DeposePar::Nom(NomEtFonction { full_name, fonction })
        } else {
            DeposePar::Compte { id, full_name }
        })
    }

    /// The document as shown at `now` to somebody who may read it: the signed URLs in it give access to its files. `outside`:
    /// shown to a user of a client.
    #[must_use]
    pub fn shown(self, signed_urls: &SignedUrls, outside: bool, now: DateTime<Utc>) -> DocumentOut {
        let path = |key: &str| format!("{FOLDER}/{key}");
        let url = |key: &str| format!("/{FOLDER}/{key}?{}", signed_urls.sign(key, now));
        let [original, preview, thumbnail] = self.keys();
        let derived = |key: &str, of: &dyn Fn(&str) -> String| self.has_previews.then(|| of(key));
        DocumentOut {
            id: self.id,
            path: path(&original),
            url: url(&original),
            uploaded_by: self.depose_par(outside),
            description: self.description.clone(),
            mime: self.content_type.clone(),
            thumbnail_path: derived(&thumbnail, &path),
            preview_path: derived(&preview, &path),
            thumbnail_url: derived(&thumbnail, &url),
            preview_url: derived(&preview, &url),
            filename: self.filename,
            date_upload: self.date_upload,
            intervention_id: self.intervention_id,
            status: self.status,
            content_type: self.content_type,
            size_bytes: self.size_bytes,
            sha256: self.sha256,
            width: self.width,
            height: self.height,
            pages: self.pages,
            error: self.error,
            version: self.version,
        }
    }
}

/// The fields that a list of documents can be sorted by.
pub const SORTABLE: &[&str] =
    &["id", "filename", "date_upload", "intervention_id", "status", "content_type", "size_bytes"];
