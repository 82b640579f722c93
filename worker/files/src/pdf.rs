//! PDF: checks that it opens, and counts its pages. Nothing is rendered or executed. The reader has no limits of its own:
//! those of the process stop a hostile file.

use std::sync::Arc;

use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};

use super::Defect;

const DAMAGED: Defect = Defect::new(
    "Le PDF est endommagé ou incomplet : exportez-le à nouveau depuis son logiciel et renvoyez-le.",
);
const LOCKED: Defect = Defect::new(
    "Le PDF est protégé par un mot de passe : enregistrez-le sans protection et renvoyez-le.",
);

/// The number of pages, at least 1. An encrypted PDF that opens without a password is accepted.
pub(super) fn pages(bytes: &[u8]) -> Result<u32, Defect> {
    let head = &bytes[..bytes.len().min(1024)];
    if !head.windows(5).any(|window| window == b"%PDF-") {
        return Err(DAMAGED);
    }
    let pdf = Pdf::new(Arc::new(bytes.to_vec())).map_err(|error| match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => LOCKED,
        _ => DAMAGED,
    })?;
    match u32::try_from(pdf.pages().len()) {
        Ok(pages) if pages > 0 => Ok(pages),
        _ => Err(DAMAGED),
    }
}
