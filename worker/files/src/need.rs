//! Estimates what decoding a file takes, from its header alone. This runs in the worker itself, so nothing is decoded or
//! allocated here.

use erp_core::documents::kind::FileKind;

use super::picture::{self, PREVIEW};

const MIB: u64 = 1 << 20;
/// Bytes that every process needs: its heap and stack before and after the pixels, and the WebP encoder.
const BASE: u64 = 32 * MIB;
/// Bytes beyond the PDF itself: it is unpacked as it is read, and does not say before how much that is.
const PDF: u64 = 128 * MIB;

/// What decoding a file takes, by its header: enough for an honest file. One that lies about itself runs into its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Of a picture; 0 where the header does not say.
    pub pixels: u64,
    /// Bytes of address space beyond what the program itself takes.
    pub bytes: u64,
}

impl Need {
    /// The need of a file of this kind.
    #[must_use]
    pub fn of(bytes: &[u8], kind: FileKind) -> Self {
        let header = match kind {
            FileKind::Jpeg => jpeg(bytes),
            FileKind::Png => png(bytes),
            FileKind::Webp => webp(bytes),
            FileKind::Gif => gif(bytes),
            FileKind::Pdf => Some(Self { pixels: 0, bytes: PDF }),
            _ => None,
        };
        // A file whose header cannot be read is refused by the decoder before it takes anything.
        let Self { pixels, bytes: decoded } = header.unwrap_or(Self { pixels: 0, bytes: 0 });
        // The file, the decoder's copy of it, the file without its metadata, and that once more while it is made; of a text
        // only the file, and of an office file also its index.
        let copies = match kind {
            FileKind::Txt | FileKind::Csv => 1,
            FileKind::Docx | FileKind::Xlsx => 2,
            _ => 4,
        };
        let file = copies * bytes.len() as u64;
        Self { pixels, bytes: BASE.saturating_add(file).saturating_add(decoded) }
    }

    /// The need of a picture of this size: `decoding` bytes, and then those for shrinking it.
    fn picture((width, height): (u64, u64), decoding: u64, channels: u64) -> Self {
        Self {
            pixels: width.saturating_mul(height),
            bytes: decoding.saturating_add(shrinking(width, height, channels)),
        }
    }
}

/// Bytes for shrinking a picture of 8 bits a channel that was reduced by whole steps: the picture, and the filter's buffer
/// of floats.
fn shrinking(width: u64, height: u64, channels: u64) -> u64 {
    let (Ok(width), Ok(height)) = (u32::try_from(width), u32::try_from(height)) else {
        return u64::MAX;
    };
    if width == 0 || height == 0 {
        return 0;
    }
    let (to_width, to_height) = picture::scaled((width, height), PREVIEW);
    let step = u64::from(picture::step((width, height), (to_width, to_height)));
    let (width, height) = (u64::from(width) / step, u64::from(height) / step);
    let preview = u64::from(to_width) * u64::from(to_height);
    let floats = 4 * width * u64::from(to_height);
    channels * (width.saturating_mul(height) + floats + 3 * preview)
}

fn be16(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 2).map(|two| u64::from(u16::from_be_bytes([two[0], two[1]])))
}

fn be32(bytes: &[u8], at: usize) -> Option<u64> {
    Some(be16(bytes, at)? << 16 | be16(bytes, at + 2)?)
}

fn le16(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 2).map(|two| u64::from(u16::from_le_bytes([two[0], two[1]])))
}

/// From the frame header. A JPEG is decoded at reduced scale, to planes and then to pixels; a progressive one keeps all its
/// coefficients.
fn jpeg(bytes: &[u8]) -> Option<Need> {
    let mut at = 2;
    let frame = loop {
        let next = bytes.get(at..)?;
        at += next.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF))?;
        match bytes[at + 1] {
            // Frame headers, but not the tables of Huffman and arithmetic codes, whose markers lie among them.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => break at,
            0xDA | 0xD9 => return None,
            0x01 | 0xD0..=0xD8 => at += 2,
            _ => at += 2 + usize::try_from(be16(bytes, at + 2)?).ok()?,
        }
    };
    let (height, width) = (be16(bytes, frame + 5)?, be16(bytes, frame + 7)?);
    let components = u64::from(*bytes.get(frame + 9)?);
    let (mut samples, mut most) = (0, 1);
    for component in 0..usize::try_from(components).ok()? {
        let factors = u64::from(*bytes.get(frame + 11 + 3 * component)?);
        let factors = (factors >> 4) * (factors & 15);
        samples += factors;
        most = most.max(factors);
    }
    let pixels = width * height;
    // Two bytes each, in whole blocks of up to 32 by 32.
    let coefficients = match bytes[frame + 1] {
        0xC0 | 0xC1 => 0,
        _ => (2 * (width + 32) * (height + 32) * samples).div_ceil(most),
    };
    // The decoder chooses its scale in the same way.
    let eighths = |n: u64| (width * n).div_ceil(8).max((height * n).div_ceil(8));
    let scale = [1, 2, 4].into_iter().find(|n| eighths(*n) >= PREVIEW.into()).unwrap_or(8);
    let small = ((width * scale).div_ceil(8), (height * scale).div_ceil(8));
    let scaled = 2 * components * small.0 * small.1;
    let whole = components == 4 || pixels <= picture::WHOLE_JPEG;
    let decoding = coefficients + if whole { scaled.max(3 * pixels) } else { scaled };
    let (to_width, to_height) = if components == 4 { (width, height) } else { small };
    Some(Need { pixels, ..Need::picture((to_width, to_height), decoding, 3) })
}

/// From the header, which comes first. A PNG is read row by row, unless it is interlaced.
fn png(bytes: &[u8]) -> Option<Need> {
    let (width, height) = (be32(bytes, 16)?, be32(bytes, 20)?);
    let (depth, colour, interlaced) = (*bytes.get(24)?, *bytes.get(25)?, *bytes.get(28)? != 0);
    let channels = if matches!(colour, 0 | 4) { 2 } else { 4 };
    // The row above, this row, and what is made of it.
    let row = width * channels * (1 + 2 * u64::from(depth).div_ceil(8)) + 8 * width;
    let whole = if interlaced { width.saturating_mul(height).saturating_mul(channels) } else { 0 };
    Some(Need::picture((width, height), whole.saturating_add(row), channels))
}

/// From the first chunk. Lossy files are decoded to planes, then to pixels; lossless and transparent ones twice to pixels.
fn webp(bytes: &[u8]) -> Option<Need> {
    let bits = |at: usize| Some((le16(bytes, at)? & 0x3FFF, le16(bytes, at + 2)? & 0x3FFF));
    let three = |at: usize| Some(le16(bytes, at)? + (u64::from(*bytes.get(at + 2)?) << 16) + 1);
    let (size, lossy) = match bytes.get(12..16)? {
        b"VP8 " => (bits(26)?, true),
        b"VP8L" => {
            let packed = le16(bytes, 21)? | le16(bytes, 23)? << 16;
            (((packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1), false)
        }
        _ => {
            let transparent = bytes.get(20)? & 0x10 != 0;
            ((three(24)?, three(27)?), !transparent && first_frame(bytes)? == b"VP8 ")
        }
    };
    let (width, height) = size;
    let a_pixel = if lossy { 5 } else { 8 };
    let decoding = width.saturating_mul(height).saturating_mul(a_pixel);
    Some(Need::picture(size, decoding, if lossy { 3 } else { 4 }))
}

/// The kind of the chunk that holds the pixels of an extended file; an animation does not count as lossy.
fn first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    loop {
        let kind = bytes.get(at..at + 4)?;
        if matches!(kind, b"VP8 " | b"VP8L" | b"ANMF") {
            return Some(kind);
        }
        let len = le16(bytes, at + 4)? | le16(bytes, at + 6)? << 16;
        at += 8 + usize::try_from(len + (len & 1)).ok()?;
    }
}

/// From the size of the screen: the frame, and the screen that it is drawn on.
fn gif(bytes: &[u8]) -> Option<Need> {
    let size = (le16(bytes, 6)?, le16(bytes, 8)?);
    Some(Need::picture(size, 8 * size.0 * size.1, 4))
}
