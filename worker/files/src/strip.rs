//! Removes the metadata of pictures; the coded pixels are copied without loss. What is kept is listed, so that an unknown
//! block is dropped.

use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};
use erp_core::documents::kind::FileKind;
use image::metadata::Orientation;
use img_parts::{
    ImageEXIF as _,
    png::Png,
    riff::RiffContent,
    webp::{
        CHUNK_ALPH, CHUNK_ANIM, CHUNK_ANMF, CHUNK_ICCP, CHUNK_VP8, CHUNK_VP8L, CHUNK_VP8X, WebP,
    },
};

use super::{
    Defect,
    picture::{DAMAGED, INCOMPLETE},
};

/// The JPEG up to its end-of-image marker, without any `APPn` or `COM` segment but those that its colours depend on.
/// `INCOMPLETE` when the marker is missing: decoders would fill up with grey.
pub(super) fn jpeg(bytes: &[u8]) -> Result<Vec<u8>, Defect> {
    if !bytes.starts_with(&[0xFF, 0xD8]) {
        return Err(DAMAGED);
    }
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&bytes[..2]);
    let mut rest = &bytes[2..];
    loop {
        // Bytes between segments, which decoders skip, and fill bytes are not copied.
        let start =
            rest.windows(2).position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF));
        rest = &rest[start.ok_or(INCOMPLETE)?..];
        let marker = rest[1];
        match marker {
            0xD9 => {
                out.extend_from_slice(&rest[..2]);
                return Ok(out);
            }
            // Markers without a segment; they mean something only inside a scan.
            0x01 | 0xD0..=0xD8 => rest = &rest[2..],
            _ => {
                let len = rest.get(2..4).ok_or(INCOMPLETE)?;
                let len = 2 + usize::from(u16::from_be_bytes([len[0], len[1]]));
                let segment = rest.get(..len).ok_or(INCOMPLETE)?;
                if jpeg_keeps(marker, segment.get(4..).ok_or(DAMAGED)?) {
                    out.extend_from_slice(segment);
                }
                rest = &rest[len..];
                if marker == 0xDA {
                    let (scan, after) = rest.split_at(scan_len(rest)?);
                    out.extend_from_slice(scan);
                    rest = after;
                }
            }
        }
    }
}

/// The length of the scan: up to the next marker that is neither an escaped 0xFF nor a restart.
fn scan_len(rest: &[u8]) -> Result<usize, Defect> {
    let end = rest
        .windows(2)
        .position(|pair| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF | 0xD0..=0xD7));
    end.ok_or(INCOMPLETE)
}

fn jpeg_keeps(marker: u8, contents: &[u8]) -> bool {
    match marker {
        // JFIF; one with more than its fixed fields carries a thumbnail.
        0xE0 => contents.starts_with(b"JFIF\0") && contents.len() == 14,
        0xE2 => contents.starts_with(b"ICC_PROFILE\0"),
        // The colour transform of Adobe's files.
        0xEE => contents.starts_with(b"Adobe") && contents.len() == 12,
        0xE1..=0xEF | 0xFE => false,
        _ => true,
    }
}

/// Adds metadata that state the orientation, and nothing else.
pub(super) fn turned(
    stripped: Vec<u8>,
    kind: FileKind,
    orientation: Orientation,
) -> Result<Vec<u8>, Defect> {
    if orientation == Orientation::NoTransforms {
        return Ok(stripped);
    }
    // Little-endian TIFF: one directory of one field, the short 0x0112.
    let mut exif = *b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0";
    exif[18] = orientation.to_exif();
    let exif = Bytes::copy_from_slice(&exif);
    match kind {
        FileKind::Jpeg => {
            // Where readers look for it: at the start, but after JFIF's own segment.
            let jfif = stripped[2..].starts_with(b"\xFF\xE0");
            let at = 2 + if jfif { 2 + 16 } else { 0 };
            let segment = [b"\xFF\xE1\0\x22Exif\0\0", &exif[..]].concat();
            Ok([&stripped[..at], &segment, &stripped[at..]].concat())
        }
        FileKind::Png => {
            let mut png = Png::from_bytes(stripped.into()).map_err(|error| parts_defect(&error))?;
            png.set_exif(Some(exif));
            Ok(png.encoder().bytes().to_vec())
        }
        FileKind::Webp => {
            let mut webp =
                WebP::from_bytes(stripped.into()).map_err(|error| parts_defect(&error))?;
            webp.set_exif(Some(exif));
            Ok(webp.encoder().bytes().to_vec())
        }
        // Files of the other kinds have no orientation.
        _ => Ok(stripped),
    }
}

/// The PNG without text, times, EXIF and unknown chunks, nor anything after its end.
pub(super) fn png(bytes: &[u8]) -> Result<Vec<u8>, Defect> {
    const KEPT: [&[u8; 4]; 19] = [
        b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB",
        b"cICP", b"mDCV", b"cLLI", b"bKGD", b"pHYs", b"acTL", b"fcTL", b"fdAT", b"hIST",
    ];
    let mut png =
        Png::from_bytes(Bytes::copy_from_slice(bytes)).map_err(|error| parts_defect(&error))?;
    if png.chunks().last().is_none_or(|chunk| chunk.kind() != *b"IEND") {
        return Err(INCOMPLETE);
    }
    png.chunks_mut().retain(|chunk| KEPT.contains(&&chunk.kind()));
    Ok(png.encoder().bytes().to_vec())
}

/// The WebP without EXIF, XMP and unknown chunks, nor anything after its end.
pub(super) fn webp(bytes: &[u8]) -> Result<Vec<u8>, Defect> {
    /// Bits of the first byte of VP8X that announce EXIF and XMP.
    const METADATA_FLAGS: u8 = 0b0000_1100;
    let kept = [CHUNK_VP8, CHUNK_VP8L, CHUNK_VP8X, CHUNK_ALPH, CHUNK_ANIM, CHUNK_ANMF, CHUNK_ICCP];
    let mut webp =
        WebP::from_bytes(Bytes::copy_from_slice(bytes)).map_err(|error| parts_defect(&error))?;
    webp.chunks_mut().retain(|chunk| kept.contains(&chunk.id()));
    for chunk in webp.chunks_mut().iter_mut().filter(|chunk| chunk.id() == CHUNK_VP8X) {
        if let RiffContent::Data(data) = chunk.content_mut()
            && !data.is_empty()
        {
            let mut flags = BytesMut::from(&data[..]);
            flags[0] &= !METADATA_FLAGS;
            *data = flags.freeze();
        }
    }
    Ok(webp.encoder().bytes().to_vec())
}

fn parts_defect(error: &img_parts::Error) -> Defect {
    match error {
        img_parts::Error::Truncated => INCOMPLETE,
        _ => DAMAGED,
    }
}

/// The GIF without comments, without application data but its loop count and colour profile, and without anything after its
/// end. All frames stay. A missing end mark is added, as browsers do.
pub(super) fn gif(bytes: &[u8]) -> Result<Vec<u8>, Defect> {
    let mut reader = Gif { rest: bytes, out: Vec::with_capacity(bytes.len()) };
    let header = reader.take(13)?;
    reader.out.extend_from_slice(header);
    reader.colours(header[10])?;
    while reader.block()?.is_continue() {}
    reader.out.push(0x3B);
    Ok(reader.out)
}

struct Gif<'a> {
    rest: &'a [u8],
    out: Vec<u8>,
}

impl<'a> Gif<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Defect> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(INCOMPLETE)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Copies the colour table that `flags` announce, if any.
    fn colours(&mut self, flags: u8) -> Result<(), Defect> {
        if flags & 0x80 != 0 {
            let table = self.take(3 << ((flags & 7) + 1))?;
            self.out.extend_from_slice(table);
        }
        Ok(())
    }

    /// Data in blocks of up to 255 bytes, with their lengths and the end mark.
    fn data(&mut self) -> Result<&'a [u8], Defect> {
        let start = self.rest;
        loop {
            let len = self.take(1)?[0];
            self.take(len.into())?;
            if len == 0 {
                return Ok(&start[..start.len() - self.rest.len()]);
            }
        }
    }

    fn block(&mut self) -> Result<ControlFlow<()>, Defect> {
        match self.rest.first() {
            None | Some(0x3B) => return Ok(ControlFlow::Break(())),
            // A stray end mark, which decoders skip.
            Some(0) => drop(self.take(1)?),
            Some(0x21) => {
                let start = self.take(2)?;
                let data = self.data()?;
                let kept = match start[1] {
                    // Timing and transparency; text drawn as a part of the picture.
                    0xF9 | 0x01 => true,
                    0xFF => [&b"\x0BNETSCAPE2.0"[..], b"\x0BANIMEXTS1.0", b"\x0BICCRGBG1012"]
                        .iter()
                        .any(|name| data.starts_with(name)),
                    _ => false,
                };
                if kept {
                    self.out.extend_from_slice(start);
                    self.out.extend_from_slice(data);
                }
            }
            Some(0x2C) => {
                let descriptor = self.take(10)?;
                self.out.extend_from_slice(descriptor);
                self.colours(descriptor[9])?;
                let code_size = self.take(1)?;
                self.out.extend_from_slice(code_size);
                let data = self.data()?;
                self.out.extend_from_slice(data);
            }
            Some(_) => return Err(DAMAGED),
        }
        Ok(ControlFlow::Continue(()))
    }
}
