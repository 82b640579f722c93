//! Metadata is gone and the pixels are the same, for each format.
//! The markers looked for are plain bytes that a leak of any kind would show.

use erp_core::documents::kind::FileKind::{Gif, Jpeg, Png, Webp};
use erp_dev::samples;
use img_parts::{
    png::{Png as PngParts, PngChunk},
    riff::{RiffChunk, RiffContent},
    webp::WebP as WebpParts,
};

use super::picture::process;

fn pixels(bytes: &[u8]) -> image::DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn a_jpeg_keeps_its_pixels_and_colours_only() {
    let dirty = samples::jpeg_with_gps(90, 60, 1);
    let profile = b"\xFF\xE2\x00\x12ICC_PROFILE\0\x01\x01pr";
    let dirty = [&dirty[..2], profile, &dirty[2..]].concat();
    let found = process(&dirty, Jpeg).unwrap();
    let clean = found.cleaned.unwrap();
    for trace in ["Exif", "Phone Maker", "serial", "xmpmeta", "Photoshop", "Casablanca", "Pris"] {
        assert!(contains(&dirty, trace), "{trace}");
        for derived in [&clean, &found.preview, &found.thumbnail] {
            assert!(!contains(derived, trace), "{trace}");
        }
    }
    assert!(contains(&clean, "ICC_PROFILE"));
    assert!(clean.ends_with(&[0xFF, 0xD9]), "the second picture is gone");
    assert_eq!(clean.windows(2).filter(|pair| pair == b"\xFF\xD8").count(), 1);
    assert_eq!(pixels(&clean), pixels(&dirty));
    assert!(process(&clean, Jpeg).unwrap().cleaned.is_none(), "nothing left to drop");
    assert!(process(&samples::jpeg(90, 60, 1), Jpeg).unwrap().cleaned.is_none());
}

#[test]
fn a_png_keeps_its_pixels_only() {
    let plain = samples::png(50, 40, 1);
    assert!(process(&plain, Png).unwrap().cleaned.is_none());
    let mut parts = PngParts::from_bytes(plain.clone().into()).unwrap();
    for (at, kind) in [(1, b"tEXt"), (1, b"eXIf"), (2, b"tIME"), (2, b"iTXt"), (2, b"prVt")] {
        parts.chunks_mut().insert(at, PngChunk::new(*kind, "SECRET".into()));
    }
    let dirty = [&parts.encoder().bytes()[..], b"SECRET after the end"].concat();
    let clean = process(&dirty, Png).unwrap().cleaned.unwrap();
    assert!(!contains(&clean, "SECRET"));
    assert_eq!(clean, plain);
}

#[test]
fn a_webp_keeps_its_pixels_only() {
    let plain = samples::webp(50, 40, 1);
    assert!(process(&plain, Webp).unwrap().cleaned.is_none());
    let mut parts = WebpParts::from_bytes(plain.clone().into()).unwrap();
    let chunk = |id, data: &'static [u8]| RiffChunk::new(id, RiffContent::Data(data.into()));
    // Announces EXIF and XMP; 50 by 40.
    parts.chunks_mut().insert(0, chunk(*b"VP8X", b"\x0C\0\0\0\x31\0\0\x27\0\0"));
    parts.chunks_mut().push(chunk(*b"EXIF", b"SECRET"));
    parts.chunks_mut().push(chunk(*b"XMP ", b"SECRET"));
    let dirty = [&parts.encoder().bytes()[..], b"SECRET after the end"].concat();
    let clean = process(&dirty, Webp).unwrap().cleaned.unwrap();
    assert!(!contains(&clean, "SECRET") && !contains(&clean, "EXIF"));
    assert_eq!(clean[20] & 0x0C, 0, "no longer announced");
    assert_eq!(pixels(&clean), pixels(&plain));
}

#[test]
fn a_gif_keeps_its_frames_and_loop_only() {
    let plain = samples::gif(50, 40, 3);
    assert!(process(&plain, Gif).unwrap().cleaned.is_none());
    let end = plain.len() - 1;
    let dirty = [
        &plain[..end],
        b"\x21\xFE\x06SECRET\0",
        b"\x21\xFF\x0BXMP DataXMP\x06SECRET\0",
        b";SECRET after the end",
    ]
    .concat();
    let clean = process(&dirty, Gif).unwrap().cleaned.unwrap();
    assert_eq!(clean, plain);
    assert!(contains(&clean, "NETSCAPE2.0"));
    // Without its end mark it is still a GIF; cut inside a frame it is not.
    assert_eq!(process(&plain[..end], Gif).unwrap().cleaned.unwrap(), plain);
    assert!(process(&plain[..end - 20], Gif).is_err());
}
