//! What runs in the process of a decoder.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, ensure};
use erp_core::documents::FileKind;

use super::{confine, frame};

/// Decodes the file of `len` bytes from standard input, within `memory` bytes beyond what this program takes and `seconds`
/// of processor time, and writes what it found. A file with a defect is a success.
#[must_use]
pub fn decode(extension: &str, len: usize, memory: u64, seconds: u64) -> ExitCode {
    match serve(extension, len, memory, seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(extension: &str, len: usize, memory: u64, seconds: u64) -> anyhow::Result<()> {
    let kind = FileKind::from_extension(extension).context("no kind of file")?;
    // The only thread, and not one per core: the confined process cannot start another.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    confine(memory, seconds).context("cannot be confined")?;
    let mut bytes = Vec::with_capacity(len);
    std::io::stdin().lock().take(len as u64).read_to_end(&mut bytes)?;
    ensure!(bytes.len() == len, "the file did not arrive whole");
    let found = erp_files::examine(&bytes, kind, memory);
    let mut out = std::io::stdout().lock();
    frame::write(&mut out, &found)?;
    out.flush()?;
    Ok(())
}
