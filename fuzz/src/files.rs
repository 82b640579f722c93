//! The content of uploaded files.
use erp_core::documents::FileKind;
use erp_files::fuzzing;

use super::byte;

/// Removing the metadata of a picture adds two bytes at most, leaves none of the known chunks of a PNG, and changes nothing
/// the second time.
pub fn epuration(mut data: &[u8]) {
    let kinds = [FileKind::Jpeg, FileKind::Gif, FileKind::Png, FileKind::Webp];
    let kind = kinds[usize::from(byte(&mut data)) % kinds.len()];
    let Ok(clean) = fuzzing::stripped(data, kind) else { return };
    // A truncated GIF gets its end mark; a WebP its padding.
    assert!(clean.len() <= data.len() + 2, "{kind:?}: {} of {}", clean.len(), data.len());
    let again = fuzzing::stripped(&clean, kind).expect("what was made clean is read again");
    assert!(again == clean, "{kind:?}: another result the second time");
    match kind {
        FileKind::Jpeg => {
            assert!(clean.starts_with(&[0xFF, 0xD8]) && clean.ends_with(&[0xFF, 0xD9]));
        }
        FileKind::Gif => assert!(clean.ends_with(&[0x3B])),
        _ => {}
    }
    if kind == FileKind::Png {
        for chunk in [b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"tIME"] {
            assert!(
                !png_chunks(&clean).any(|found| found == chunk),
                "{}",
                String::from_utf8_lossy(chunk)
            );
        }
    }
}

/// The kinds of the chunks of a PNG.
fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 8;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + 8)?;
        at += 12 + u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        Some(&head[4..])
    })
}

/// Any bytes, taken as a document of any kind but pictures, give a result and never a panic, and a page count is at least 1.
pub fn examen(mut data: &[u8]) {
    let kinds = [FileKind::Pdf, FileKind::Docx, FileKind::Xlsx, FileKind::Txt, FileKind::Csv];
    let kind = kinds[usize::from(byte(&mut data)) % kinds.len()];
    match fuzzing::examined(data, kind) {
        Ok(pages) => {
            assert_eq!(pages.is_some(), kind == FileKind::Pdf);
            assert_ne!(pages, Some(0));
        }
        Err(why) => assert!(!why.is_empty()),
    }
}
