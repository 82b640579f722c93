//! Entry points for the fuzz targets of `fuzz/` and their replay: bytes in, result out. No other code uses them.
use erp_core::documents::kind::FileKind;

use super::{Content, strip};

/// The picture without its metadata, or the sentence that says why not; empty for a file that is no picture.
pub fn stripped(bytes: &[u8], kind: FileKind) -> Result<Vec<u8>, String> {
    let stripped = match kind {
        FileKind::Jpeg => strip::jpeg(bytes),
        FileKind::Png => strip::png(bytes),
        FileKind::Webp => strip::webp(bytes),
        FileKind::Gif => strip::gif(bytes),
        _ => return Ok(Vec::new()),
    };
    stripped.map_err(|defect| defect.to_string())
}

/// The pages of a sound document, where it has some, or the sentence that says what is wrong with it.
pub fn examined(bytes: &[u8], kind: FileKind) -> Result<Option<u32>, String> {
    match super::examine(bytes, kind, 256 << 20) {
        Ok(Content::Pages(pages)) => Ok(Some(pages)),
        Ok(_) => Ok(None),
        Err(defect) => Err(defect.to_string()),
    }
}
