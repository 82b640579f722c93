//! What the worker makes of an uploaded file's bytes: pure functions, no I/O, nothing async.
//! They take what strangers send, so each bounds its memory and answers with a [`Defect`], never a panic.

#[doc(hidden)]
pub mod fuzzing;
pub mod office;
pub mod pdf;
pub mod picture;
mod strip;
pub mod text;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use erp_core::documents::kind::FileKind;

use self::picture::Picture;

/// Why a file cannot be used: a French sentence for the person who sent it, which says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Defect(pub &'static str);

/// What was found in a sound file.
#[derive(Debug)]
pub enum Content {
    /// Of a picture.
    Picture(Box<Picture>),
    /// Of a PDF: its number of pages, at least 1.
    Pages(u32),
    /// Of any other kind: that it is what it says.
    Sound,
}

/// Checks a whole file of the given kind, and derives what is to be kept of it.
///
/// Takes up to seconds of processor time and, for the biggest pictures, some 600 MiB: call it on a
/// thread that may block, and not many at once. A bug in a decoder ends as a [`Defect`] too.
pub fn examine(bytes: &[u8], kind: FileKind) -> Result<Content, Defect> {
    let examined = catch_unwind(AssertUnwindSafe(|| match kind {
        FileKind::Jpeg | FileKind::Png | FileKind::Webp | FileKind::Gif => {
            picture::process(bytes, kind).map(|picture| Content::Picture(Box::new(picture)))
        }
        FileKind::Pdf => pdf::pages(bytes).map(Content::Pages),
        FileKind::Docx | FileKind::Xlsx => office::check(bytes, kind).map(|()| Content::Sound),
        FileKind::Txt | FileKind::Csv => text::check(bytes).map(|()| Content::Sound),
    }));
    examined.unwrap_or(Err(Defect(
        "Le fichier n'a pas pu être lu : enregistrez-le à nouveau depuis son logiciel et renvoyez-le.",
    )))
}
