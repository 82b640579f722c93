//! What the PDF reader has no limit for, looked for before it starts: one pass over the bytes.
//! It protects the worker's memory and time from files made to use them up; real ones pass.

use std::io::Read as _;

use flate2::read::ZlibDecoder;

/// The reader tries again at every level of nested dictionaries; real ones nest by a handful.
const MAX_DEPTH: u32 = 128;
/// It searches to the end of the file for each stream that is not closed.
const MAX_UNCLOSED: u32 = 100;
/// It unpacks the streams that hold objects, whole: bytes of all of them together.
const MAX_UNPACKED: u64 = 256 * 1024 * 1024;
/// How far before its data a stream's dictionary is looked for.
const DICTIONARY: usize = 4096;

/// Whether reading this PDF would cost far more than its size.
pub(super) fn is_hostile(bytes: &[u8]) -> bool {
    let (mut depth, mut opened, mut closed, mut unpacked) = (0_u32, 0_u32, 0_u32, 0_u64);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        at += 1;
        match rest[0] {
            b'<' if rest.starts_with(b"<<") => {
                depth += 1;
                at += 1;
            }
            b'>' if rest.starts_with(b">>") => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'e' if rest.starts_with(b"endstream") => {
                (depth, closed) = (0, closed + 1);
                at += 8;
            }
            // Its data may look like anything, so that what was counted before is void.
            b's' if rest.starts_with(b"stream") => {
                (depth, opened) = (0, opened + 1);
                let start = at - 1;
                match packed_size(&bytes[start.saturating_sub(DICTIONARY)..start], &rest[6..]) {
                    Some(size) => unpacked = unpacked.saturating_add(size),
                    None => return true,
                }
            }
            _ => {}
        }
        if depth > MAX_DEPTH
            || opened.saturating_sub(closed) > MAX_UNCLOSED
            || unpacked > MAX_UNPACKED
        {
            return true;
        }
    }
    false
}

/// Bytes that the data of a stream unpacks to, if it is one that holds objects, else 0; `None`
/// when it is packed in a way that writers do not use for those, and that could not be measured.
fn packed_size(before: &[u8], data: &[u8]) -> Option<u64> {
    let start = before.windows(3).rposition(|word| word == b"obj").unwrap_or(0);
    let dictionary = &before[start..];
    let count = |word: &[u8]| dictionary.windows(word.len()).filter(|part| *part == word).count();
    // A name written with escapes could be any.
    if count(b"ObjStm") + count(b"XRef") + count(b"#") == 0 {
        return Some(0);
    }
    if count(b"LZW") + count(b"RunLength") > 0 || count(b"FlateDecode") > 1 {
        return None;
    }
    let data = data.trim_ascii_start();
    let mut unpacked = ZlibDecoder::new(data).take(MAX_UNPACKED + 1);
    let mut piece = [0; 8192];
    let mut size = 0;
    // Data that is not packed, or damaged, counts for what comes out of it.
    while let Ok(read) = unpacked.read(&mut piece)
        && read > 0
    {
        size += read as u64;
    }
    Some(size)
}
