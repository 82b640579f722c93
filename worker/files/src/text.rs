//! Text and CSV: applies the rule for an upload's first bytes to the whole file. No encoding is imposed, see [`is_text`].

use erp_core::documents::kind::is_text;

use super::Defect;

/// Succeeds when all of `bytes` are text.
pub(super) fn check(bytes: &[u8]) -> Result<(), Defect> {
    if is_text(bytes) {
        return Ok(());
    }
    Err(Defect::new(
        "Le fichier contient autre chose que du texte : enregistrez-le en texte (UTF-8) et renvoyez-le.",
    ))
}
