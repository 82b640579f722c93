//! Word and Excel files (OOXML): checks that the container is sound, of the claimed kind, and without macros. Every part is
//! decompressed, counted and discarded: the sizes that the archive states are not trusted.

use std::io::{self, Cursor, Read as _};

use erp_core::documents::kind::FileKind;
use zip::ZipArchive;

use super::Defect;

/// The most parts: real documents have some dozens, albums of pictures some hundreds.
const MAX_PARTS: usize = 5_000;
/// The most bytes of all parts together, unpacked.
const MAX_UNPACKED: u64 = 512 * 1024 * 1024;
/// The most bytes of the list of content types.
const MAX_TYPES: u64 = 1024 * 1024;

const DAMAGED: Defect = Defect::new(
    "Le document est endommagé ou incomplet : enregistrez-le à nouveau depuis Word ou Excel et renvoyez-le.",
);
const OTHER_KIND: Defect = Defect::new(
    "Le contenu n'est pas celui d'un document de ce type : enregistrez-le en .docx (Word) ou .xlsx (Excel) et renvoyez-le.",
);
const TOO_BIG: Defect = Defect::new(
    "Le document est démesuré une fois décompressé : allégez-le ou exportez-le en PDF et renvoyez-le.",
);
const MACROS: Defect = Defect::new(
    "Le document contient des macros : enregistrez-le sans macros (.docx ou .xlsx) et renvoyez-le.",
);

/// Succeeds for an OOXML document of `kind` ([`FileKind::Docx`] or [`FileKind::Xlsx`]).
pub(super) fn check(bytes: &[u8], kind: FileKind) -> Result<(), Defect> {
    let (part, content_type) = match kind {
        FileKind::Docx => ("word/document", "wordprocessingml.document.main+xml"),
        FileKind::Xlsx => ("xl/workbook", "spreadsheetml.sheet.main+xml"),
        _ => return Err(OTHER_KIND),
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|_| DAMAGED)?;
    if archive.len() > MAX_PARTS {
        return Err(TOO_BIG);
    }
    let mut unpacked = 0_u64;
    let mut has_part = false;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|_| DAMAGED)?;
        let name = entry.name().map_err(|_| DAMAGED)?.to_ascii_lowercase();
        if name.ends_with("vbaproject.bin") {
            return Err(MACROS);
        }
        // Word on the web writes word/document2.xml: the content type below decides.
        has_part |= name.trim_start_matches('/').starts_with(part);
        // Read to its end, where its checksum is compared, or to one byte more than all parts may have.
        let mut rest = entry.take(MAX_UNPACKED - unpacked + 1);
        let inflated = io::copy(&mut rest, &mut io::sink());
        unpacked += inflated.map_err(|_| DAMAGED)?;
        if unpacked > MAX_UNPACKED {
            return Err(TOO_BIG);
        }
    }
    let mut types = String::new();
    archive
        .by_name("[Content_Types].xml")
        .map_err(|_| OTHER_KIND)?
        .take(MAX_TYPES)
        .read_to_string(&mut types)
        .map_err(|_| DAMAGED)?;
    if types.contains("macroEnabled") {
        return Err(MACROS);
    }
    if has_part && types.contains(content_type) { Ok(()) } else { Err(OTHER_KIND) }
}
