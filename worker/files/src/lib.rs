//! Checks the bytes of an uploaded file and derives what is kept of it: pure functions, no I/O, nothing async. They take
//! hostile input and answer with a [`Defect`], never a panic. What a hostile file may cost beyond that is bounded by the
//! process they run in: `erp_worker::documents::decoder`.
//!
//! A crate of its own, because the codecs are generic: their code is compiled here, and a development build optimises no
//! other crate of ours.

#[doc(hidden)]
pub mod fuzzing;
mod need;
mod office;
mod pdf;
mod picture;
mod strip;
mod text;

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    panic::{AssertUnwindSafe, catch_unwind},
};

use erp_core::documents::kind::FileKind;

pub use self::{need::Need, picture::Picture};

/// Why a file cannot be used: a French sentence for the person who sent it, which says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Defect(pub Cow<'static, str>);

impl Defect {
    /// A defect with this sentence.
    #[must_use]
    pub const fn new(sentence: &'static str) -> Self {
        Self(Cow::Borrowed(sentence))
    }
}

/// The defect of a file that no decoder could read, for whatever reason.
pub const UNREADABLE: Defect = Defect::new(
    "Le fichier n'a pas pu être lu : enregistrez-le à nouveau depuis son logiciel et renvoyez-le.",
);

/// What was found in a sound file.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// A picture.
    Picture(Box<Picture>),
    /// A PDF: its number of pages, at least 1.
    Pages(u32),
    /// Any other kind: the file is what it claims to be.
    Sound,
}

/// Checks a whole file of the given kind, and derives what is to be kept of it; a picture that needs more than `memory`
/// bytes is refused before it is decoded. A bug in a decoder ends as a [`Defect`] too.
pub fn examine(bytes: &[u8], kind: FileKind, memory: u64) -> Result<Content, Defect> {
    let examined = catch_unwind(AssertUnwindSafe(|| match kind {
        FileKind::Jpeg | FileKind::Png | FileKind::Webp | FileKind::Gif => {
            picture::fits(&Need::of(bytes, kind), memory)?;
            picture::process(bytes, kind).map(|picture| Content::Picture(Box::new(picture)))
        }
        FileKind::Pdf => pdf::pages(bytes).map(Content::Pages),
        FileKind::Docx | FileKind::Xlsx => office::check(bytes, kind).map(|()| Content::Sound),
        FileKind::Txt | FileKind::Csv => text::check(bytes).map(|()| Content::Sound),
    }));
    examined.unwrap_or(Err(UNREADABLE))
}
