//! Small files that make a naive reader take much memory or time.

use std::io::{Cursor, Write as _};

use flate2::{Compression, Crc, write::ZlibEncoder};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{gif, webp, xlsx};

const MIB: usize = 1 << 20;

/// Files that cannot be decoded, with names. Each has less than 8 MB, most have less than 1 MB; a naive reader needs
/// hundreds of MiB or much time for them.
#[must_use]
pub fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = deflated(600 * MIB);
    // Readers also take a stream without zlib's header and checksum.
    let raw = &zeros[2..zeros.len() - 4];
    let twice = {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::best());
        sure(out.write_all(&zeros));
        sure(out.finish())
    };
    let hex: Vec<u8> = zeros.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect();
    let objects = |more: &str| format!("/Type /ObjStm /N 1 /First 4 {more}");
    let dictionaries = [b"%PDF-1.4\n1 0 obj\n".to_vec(), b"<</A ".repeat(1_500_000)].concat();
    let streams = b"1 0 obj << /Type /ObjStm >> stream\n".repeat(20_000);
    let mut screen = gif(1, 1, 1);
    screen[6..10].copy_from_slice(&[0xFF, 0x1F, 0x00, 0x20]);
    let mut canvas = webp(8, 8, 1);
    // 16 383 by 4 096, less one each, 14 bits each.
    canvas[21..25].copy_from_slice(&(0x3FFE_u32 | 0x0FFF << 14).to_le_bytes());
    vec![
        ("zlib.pdf", pdf(&objects("/Filter /FlateDecode"), &zeros)),
        ("brut.pdf", pdf(&objects("/Filter /FlateDecode"), raw)),
        ("cache.pdf", pdf(&objects("/X(obj) /Filter /FlateDecode"), &zeros)),
        ("abrege.pdf", pdf(&objects("/Filter [/Fl /Fl]"), &twice)),
        (
            "chaine.pdf",
            pdf(&objects("/Filter [/ASCIIHexDecode /FlateDecode]"), &[&hex[..], b">"].concat()),
        ),
        ("profond.pdf", dictionaries),
        ("ouvert.pdf", [&b"%PDF-1.4\n"[..], &streams].concat()),
        ("menteur.xlsx", liar()),
        ("ecran.gif", screen),
        ("toile.webp", canvas),
        ("geante.png", png_of(30_000, 30_000, 1, 0, false)),
        ("large.png", png_of(40_000_000, 1, 16, 6, false)),
    ]
}

/// A black PNG of 16 bits for each of four channels, turned by its EXIF: 522 KB for the 64 megapixels that take 512 MiB.
#[must_use]
pub fn png_deep(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    let plain = png_of(width, height, 16, 6, false);
    let mut exif = *b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0";
    exif[19] = orientation;
    let mut out = plain[..33].to_vec();
    chunk(&mut out, *b"eXIf", &exif);
    out.extend_from_slice(&plain[33..]);
    out
}

/// A black PNG of four channels of 8 bits whose rows come in seven passes: no row is whole before the last.
#[must_use]
pub fn png_interlaced(width: u32, height: u32) -> Vec<u8> {
    png_of(width, height, 8, 6, true)
}

/// A PNG whose every byte of pixels is 0, of a `depth` and a colour type (0 grey, 6 with all four channels).
fn png_of(width: u32, height: u32, depth: u8, colour: u8, interlaced: bool) -> Vec<u8> {
    let bits = usize::from(depth) * if colour == 6 { 4 } else { 1 };
    let rows = |width: u32, height: u32| {
        let row = 1 + (width as usize * bits).div_ceil(8);
        if width == 0 { 0 } else { row * height as usize }
    };
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    let pass = |(x, y, right, down): (u32, u32, u32, u32)| {
        rows(width.saturating_sub(x).div_ceil(right), height.saturating_sub(y).div_ceil(down))
    };
    let len = if interlaced { passes.into_iter().map(pass).sum() } else { rows(width, height) };
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(&mut out, *b"IHDR", &[&size[..], &[depth, colour, 0, 0, interlaced.into()]].concat());
    chunk(&mut out, *b"IDAT", &deflated(len));
    chunk(&mut out, *b"IEND", &[]);
    out
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    let start = out.len();
    out.extend_from_slice(&kind);
    out.extend_from_slice(data);
    let mut sum = Crc::new();
    sum.update(&out[start..]);
    out.extend_from_slice(&sum.sum().to_be_bytes());
}

fn pdf(dictionary: &str, data: &[u8]) -> Vec<u8> {
    let head = format!("%PDF-1.5\n1 0 obj\n<<{dictionary}>>\nstream\n");
    [head.as_bytes(), data, b"\nendstream\nendobj\n"].concat()
}

/// A workbook with a sheet that says it has 10 bytes, and has 600 MiB.
fn liar() -> Vec<u8> {
    const NAME: &str = "xl/worksheets/sheet9.xml";
    let mut zip = sure(ZipWriter::new_append(Cursor::new(xlsx(&[vec!["a"]]))));
    sure(zip.start_file(
        NAME,
        SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated),
    ));
    let piece = vec![b' '; MIB];
    for _ in 0..600 {
        sure(zip.write_all(&piece));
    }
    let mut out = sure(zip.finish()).into_inner();
    // The offsets of the name and of the size in its two headers.
    for (head, name_at, size_at) in [(b"PK\x03\x04", 30, 22), (b"PK\x01\x02", 46, 24)] {
        let is_it = |at: &usize| {
            out[*at..].starts_with(head)
                && out[(at + name_at).min(out.len())..].starts_with(NAME.as_bytes())
        };
        if let Some(at) = (0..out.len()).find(is_it) {
            out[at + size_at..at + size_at + 4].copy_from_slice(&10_u32.to_le_bytes());
        }
    }
    out
}

/// So many zeros, compressed by zlib.
fn deflated(len: usize) -> Vec<u8> {
    let piece = vec![0; MIB];
    let mut out = ZlibEncoder::new(Vec::new(), Compression::new(6));
    let mut left = len;
    while left > 0 {
        let now = left.min(MIB);
        sure(out.write_all(&piece[..now]));
        left -= now;
    }
    sure(out.finish())
}

/// For writes to memory, which do not fail.
fn sure<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("a sample fits its format")
}
