//! Pictures of an invented workshop: quick to draw, and one sees at once whether they are upright. JPEGs can carry
//! everything that a phone writes into them.

use std::io::{Cursor, Write as _};

use image::{
    DynamicImage, ExtendedColorType, Frame, ImageEncoder as _, Rgb, RgbImage, RgbaImage,
    codecs::{
        gif::{GifEncoder, Repeat},
        jpeg::JpegEncoder,
        png::PngEncoder,
        webp::WebPEncoder,
    },
    metadata::Orientation,
};

/// A sky above a floor, a lamp top left, a machine with a red panel right of the middle; the
/// `seed` chooses the colours.
#[must_use]
pub fn scene(width: u32, height: u32, seed: u64) -> RgbImage {
    let tint = |shift: u32| {
        u32::try_from(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> shift & 63).unwrap_or(0)
    };
    let tints = [tint(8), tint(24), tint(40)];
    let gradient = |top: u32, bottom: u32, y: u32| top + (bottom * y) / height.max(1);
    let mut picture = RgbImage::new(width, height);
    let mut row = Vec::with_capacity(width as usize * 3);
    for y in 0..height {
        row.clear();
        for x in 0..width {
            // In thousandths of each side, so that the shapes scale with the picture.
            let (u, v) = (x * 1000 / width.max(1), y * 1000 / height.max(1));
            let colour = if (80..200).contains(&u) && (60..180).contains(&v) {
                [255, 240, 150]
            } else if (560..900).contains(&u) && (350..850).contains(&v) {
                if (600..700).contains(&u) && (400..500).contains(&v) {
                    [200, 30, 30]
                } else {
                    [70 + tints[0], 80 + tints[1], 90 + (u / 40) * 2]
                }
            } else if v < 600 {
                [gradient(90, 60, y), gradient(120, 80, y), 170 + tints[2]]
            } else {
                // Tiles, so that there is detail to keep.
                let shade = if (u / 50 + v / 50) % 2 == 0 { 20 } else { 0 };
                [110 + shade, 95 + shade, 70 + shade]
            };
            row.extend(colour.map(|c| u8::try_from(c.min(255)).unwrap_or(255)));
        }
        let start = y as usize * width as usize * 3;
        picture.as_mut()[start..start + row.len()].copy_from_slice(&row);
    }
    picture
}

/// A JPEG without any metadata.
#[must_use]
pub fn jpeg(width: u32, height: u32, seed: u64) -> Vec<u8> {
    encode_jpeg(&scene(width, height, seed).into())
}

fn encode_jpeg(picture: &DynamicImage) -> Vec<u8> {
    let mut out = Vec::new();
    sure(picture.write_with_encoder(JpegEncoder::new_with_quality(&mut out, 85)));
    out
}

/// A JPEG as from a phone with EXIF `orientation` (1 to 8): the stored pixels are turned, and upright the picture is
/// `width` by `height`. It carries EXIF with a GPS position (Casablanca) and a maker's note, XMP, IPTC, a comment, and a
/// second picture after its end.
#[must_use]
pub fn jpeg_with_gps(width: u32, height: u32, orientation: u8) -> Vec<u8> {
    use Orientation::{Rotate90, Rotate270};
    let mut picture = DynamicImage::from(scene(width, height, 7));
    let seen = Orientation::from_exif(orientation).unwrap_or(Orientation::NoTransforms);
    // A quarter turn is undone by the opposite one; everything else by itself.
    picture.apply_orientation(match seen {
        Rotate90 => Rotate270,
        Rotate270 => Rotate90,
        other => other,
    });
    from_a_phone(&encode_jpeg(&picture), orientation)
}

/// Adds everything that a phone writes to a JPEG without metadata, with this orientation.
#[must_use]
pub fn from_a_phone(plain: &[u8], orientation: u8) -> Vec<u8> {
    let mut out = plain[..2].to_vec();
    segment(&mut out, 0xE1, &[b"Exif\0\0", exif(orientation).as_slice()].concat());
    segment(
        &mut out,
        0xE1,
        b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/' exif:GPSLatitude='33,35.4N'/></rdf:RDF></x:xmpmeta>",
    );
    // Photoshop's block with an IPTC record: 2:90, city.
    segment(
        &mut out,
        0xED,
        b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0F\x1C\x02\x5A\0\x0ACasablanca\0",
    );
    segment(&mut out, 0xFE, b"Pris devant le local technique");
    out.extend_from_slice(&plain[2..]);
    out.extend_from_slice(&jpeg(32, 24, 8));
    out
}

/// For writes to memory, which do not fail, of sizes that each format allows.
fn sure<T, E: std::fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("a sample fits its format")
}

fn segment(out: &mut Vec<u8>, marker: u8, contents: &[u8]) {
    let len = u16::try_from(contents.len() + 2).expect("a segment has less than 64 KiB");
    out.extend_from_slice(&[0xFF, marker]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(contents);
}

/// A big-endian TIFF block: maker, orientation, EXIF with a maker's note, GPS.
fn exif(orientation: u8) -> Vec<u8> {
    /// One entry of a directory: tag, type, count, and the value or where it is.
    fn entry(out: &mut Vec<u8>, tag: u16, kind: u16, count: u32, value: [u8; 4]) {
        out.extend_from_slice(&tag.to_be_bytes());
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        out.extend_from_slice(&value);
    }
    // Where things are: IFD0 at 8 (4 entries: 54 bytes), then EXIF (1: 18), GPS (4: 54), values.
    let (exif_at, gps_at, make_at, note_at) = (62_u32, 80_u32, 134_u32, 146_u32);
    let (latitude_at, longitude_at) = (162_u32, 186_u32);
    let mut out = b"MM\0\x2A\0\0\0\x08".to_vec();
    out.extend_from_slice(&4_u16.to_be_bytes());
    entry(&mut out, 0x010F, 2, 12, make_at.to_be_bytes());
    entry(&mut out, 0x0112, 3, 1, [0, orientation, 0, 0]);
    entry(&mut out, 0x8769, 4, 1, exif_at.to_be_bytes());
    entry(&mut out, 0x8825, 4, 1, gps_at.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&1_u16.to_be_bytes());
    entry(&mut out, 0x927C, 7, 16, note_at.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&4_u16.to_be_bytes());
    entry(&mut out, 1, 2, 2, *b"N\0\0\0");
    entry(&mut out, 2, 5, 3, latitude_at.to_be_bytes());
    entry(&mut out, 3, 2, 2, *b"W\0\0\0");
    entry(&mut out, 4, 5, 3, longitude_at.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(b"Phone Maker\0");
    out.extend_from_slice(b"serial 123456789");
    for (numerator, denominator) in [(33, 1), (35, 1), (2400, 100), (7, 1), (37, 1), (1200, 100)] {
        out.extend_from_slice(&u32::to_be_bytes(numerator));
        out.extend_from_slice(&u32::to_be_bytes(denominator));
    }
    out
}

/// A PNG with some transparency: a round window on the scene.
#[must_use]
pub fn png(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let picture = window(width, height, seed);
    sure(PngEncoder::new(&mut out).write_image(&picture, width, height, ExtendedColorType::Rgba8));
    out
}

fn window(width: u32, height: u32, seed: u64) -> RgbaImage {
    let mut picture = DynamicImage::from(scene(width, height, seed)).into_rgba8();
    let radius = i64::from(width.min(height)) / 2;
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (dx, dy) = (i64::from(x) - i64::from(width / 2), i64::from(y) - i64::from(height / 2));
        if dx * dx + dy * dy > radius * radius {
            pixel.0[3] = 0;
        }
    }
    picture
}

/// A lossless WebP.
#[must_use]
pub fn webp(width: u32, height: u32, seed: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut out);
    sure(encoder.write_image(&scene(width, height, seed), width, height, ExtendedColorType::Rgb8));
    out
}

/// A GIF of `frames` frames, at least one, that repeats endlessly when there are several.
#[must_use]
pub fn gif(width: u32, height: u32, frames: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut out, 30);
    if frames > 1 {
        sure(encoder.set_repeat(Repeat::Infinite));
    }
    for n in 0..frames.max(1) {
        let mut picture = scene(width, height, 3);
        let x = n * width / frames.max(1);
        for y in 0..height {
            picture.put_pixel(x, y, Rgb([255, 255, 255]));
        }
        let frame = Frame::new(DynamicImage::from(picture).into_rgba8());
        sure(encoder.encode_frame(frame));
    }
    drop(encoder);
    out
}

/// A black PNG of the given size whose file is a thousand times smaller than its pixels.
#[must_use]
pub fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = sure(encoder.write_header());
    let mut stream = sure(writer.stream_writer());
    let row = vec![0; (width as usize).div_ceil(8)];
    for _ in 0..height {
        sure(stream.write_all(&row));
    }
    sure(stream.finish());
    drop(writer);
    out.into_inner()
}
