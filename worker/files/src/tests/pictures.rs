//! Pictures of every kind of colour and shape, turned in every way, and bombs.
//! Colours are compared with some tolerance: the derived pictures are lossy.

use std::io::Cursor;

use erp_core::documents::kind::FileKind::{self, Gif, Jpeg, Webp};
use erp_dev::samples;
use image::{
    DynamicImage, GenericImageView as _, ImageBuffer, ImageDecoder as _, ImageFormat, ImageReader,
    Luma, Rgba, codecs::webp::WebPEncoder, metadata::Orientation,
};
use img_parts::{ImageEXIF as _, png::Png, webp::WebP};

use super::picture::{Picture, process};

fn encoded(picture: &DynamicImage, format: image::ImageFormat) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut out, format).unwrap();
    out.into_inner()
}

fn preview(found: &Picture) -> DynamicImage {
    image::load_from_memory_with_format(&found.preview, ImageFormat::WebP).unwrap()
}

fn size(webp: &[u8]) -> (u32, u32) {
    image::load_from_memory(webp).unwrap().dimensions()
}

/// The mean difference of the two, per channel, out of 255.
fn difference(one: &DynamicImage, other: &DynamicImage) -> u64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let (one, other) = (one.to_rgb8(), other.to_rgb8());
    let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum / one.len() as u64
}

#[test]
fn every_orientation_comes_out_upright() {
    let upright = DynamicImage::from(samples::scene(120, 80, 7));
    for orientation in 0..=9 {
        let bytes = samples::jpeg_with_gps(120, 80, orientation);
        let found = process(&bytes, Jpeg).unwrap();
        assert_eq!((found.width, found.height), (120, 80), "{orientation}");
        assert!(difference(&preview(&found), &upright) < 8, "{orientation}");
        let cleaned = found.cleaned.unwrap();
        // The same pixels, and the same orientation.
        assert_eq!(
            image::load_from_memory(&cleaned).unwrap(),
            image::load_from_memory(&bytes).unwrap(),
            "{orientation}"
        );
        assert_eq!(turn(&cleaned, ImageFormat::Jpeg), turn(&bytes, ImageFormat::Jpeg));
        assert!(!cleaned.windows(5).any(|part| part == b"Phone"), "nothing else of the EXIF");
        assert!(process(&cleaned, Jpeg).unwrap().cleaned.is_none(), "nothing left to drop");
    }
}

fn turn(bytes: &[u8], format: ImageFormat) -> Orientation {
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.into_decoder().unwrap().orientation().unwrap()
}

#[test]
fn a_png_and_a_webp_that_are_turned_keep_their_pixels() {
    let exif = b"II*\0\x08\0\0\0\x02\0\x0F\x01\x02\0\x04\0\0\0Foto\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let scene = DynamicImage::from(samples::scene(60, 40, 3));
    let mut png = Png::from_bytes(encoded(&scene, ImageFormat::Png).into()).unwrap();
    png.set_exif(Some(exif.as_slice().into()));
    let mut webp = WebP::from_bytes(samples::webp(60, 40, 3).into()).unwrap();
    webp.set_exif(Some(exif.as_slice().into()));
    for (bytes, kind, format) in [
        (png.encoder().bytes(), FileKind::Png, ImageFormat::Png),
        (webp.encoder().bytes(), Webp, ImageFormat::WebP),
    ] {
        let found = process(&bytes, kind).unwrap();
        assert_eq!((found.width, found.height), (40, 60), "{kind:?}");
        assert!(difference(&preview(&found), &scene.rotate90()) < 8, "{kind:?}");
        let cleaned = found.cleaned.unwrap();
        assert_eq!(image::load_from_memory(&cleaned).unwrap(), scene, "{kind:?}");
        assert_eq!(turn(&cleaned, format), Orientation::Rotate90, "{kind:?}");
        assert!(!cleaned.windows(4).any(|part| part == b"Foto"), "{kind:?}");
        assert!(process(&cleaned, kind).unwrap().cleaned.is_none(), "{kind:?}");
    }
}

#[test]
fn a_png_is_averaged_row_by_row() {
    let scene = DynamicImage::from(samples::scene(3300, 2500, 9));
    let bytes = encoded(&scene, ImageFormat::Png);
    let found = process(&bytes, FileKind::Png).unwrap();
    let expected = scene.thumbnail_exact(1600, 1212);
    assert_eq!(size(&found.preview), (1600, 1212));
    assert!(difference(&preview(&found), &expected) < 4);
}

#[test]
fn derived_pictures_fit_and_never_grow() {
    let cases = [
        ((2400, 1800), (1600, 1200), (320, 240)),
        ((900, 1700), (847, 1600), (169, 320)),
        ((400, 300), (400, 300), (320, 240)),
        ((100, 80), (100, 80), (100, 80)),
        ((1, 1), (1, 1), (1, 1)),
        ((1, 20_000), (1, 1600), (1, 320)),
        ((20_000, 1), (1600, 1), (320, 1)),
    ];
    for ((width, height), for_preview, for_thumbnail) in cases {
        let found = process(&samples::jpeg(width, height, 1), Jpeg).unwrap();
        assert_eq!((found.width, found.height), (width, height));
        assert_eq!(size(&found.preview), for_preview);
        assert_eq!(size(&found.thumbnail), for_thumbnail);
    }
}

#[test]
fn every_kind_of_colour() {
    let scene = DynamicImage::from(samples::scene(64, 48, 5));
    let half =
        ImageBuffer::from_fn(64, 48, |x, _| Rgba([200_u8, 20, 20, if x < 32 { 0 } else { 255 }]));
    let shade = |at: u32| u16::try_from(at * 1000).unwrap();
    let deep = ImageBuffer::from_fn(64, 48, |x, y| Rgba([shade(x), shade(y), 9, u16::MAX]));
    let grey = ImageBuffer::from_fn(64, 48, |x, _| Luma([shade(x)]));
    let cases: Vec<(Vec<u8>, FileKind)> = vec![
        (encoded(&scene, ImageFormat::Png), FileKind::Png),
        (encoded(&DynamicImage::from(scene.to_luma8()), ImageFormat::Png), FileKind::Png),
        (encoded(&DynamicImage::from(scene.to_luma8()), ImageFormat::Jpeg), Jpeg),
        (encoded(&DynamicImage::from(scene.to_luma_alpha8()), ImageFormat::Png), FileKind::Png),
        (encoded(&DynamicImage::ImageRgba16(deep), ImageFormat::Png), FileKind::Png),
        (encoded(&DynamicImage::ImageLuma16(grey), ImageFormat::Png), FileKind::Png),
        (encoded(&scene, ImageFormat::Gif), Gif),
        (samples::webp(64, 48, 5), Webp),
        (samples::gif(64, 48, 4), Gif),
    ];
    for (bytes, kind) in cases {
        let found = process(&bytes, kind).unwrap();
        let original = image::load_from_memory(&bytes).unwrap();
        assert!(difference(&preview(&found), &original) < 8, "{kind:?} {:?}", original.color());
        assert!(!preview(&found).color().has_alpha(), "no transparency where there was none");
    }
    let half = encoded(&DynamicImage::from(half), ImageFormat::Png);
    let found = process(&half, FileKind::Png).unwrap();
    assert_eq!(preview(&found).to_rgba8().get_pixel(3, 3).0[3], 0, "transparency stays");
    assert_eq!(preview(&found).to_rgba8().get_pixel(60, 3).0[3], 255);
}

#[test]
fn an_interlaced_png() {
    let found = process(&samples::png_interlaced(64, 48), FileKind::Png).unwrap();
    assert_eq!((found.width, found.height), (64, 48));
    assert_eq!(preview(&found).to_rgba8().get_pixel(63, 47).0[3], 0, "as the original");
    // Its data end before its pixels do; everything else is in order.
    let whole = samples::png_interlaced(640, 480);
    let data = whole.windows(4).position(|name| name == b"IDAT").unwrap();
    let len = u32::from_be_bytes(whole[data - 4..data].try_into().unwrap());
    let kept = len as usize / 2;
    let chunk = &whole[data..data + 4 + kept];
    let mut cut = whole[..data - 4].to_vec();
    cut.extend_from_slice(&u32::try_from(kept).unwrap().to_be_bytes());
    cut.extend_from_slice(chunk);
    let mut sum = flate2::Crc::new();
    sum.update(chunk);
    cut.extend_from_slice(&sum.sum().to_be_bytes());
    cut.extend_from_slice(&whole[data + 8 + len as usize..]);
    let refused = process(&cut, FileKind::Png).unwrap_err();
    assert!(refused.0.starts_with("L'image est "), "{refused}");
}

#[test]
fn a_palette_png() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 4, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9]);
    encoder.write_header().unwrap().write_image_data(&[0b0001_1011]).unwrap();
    let found = process(&bytes, FileKind::Png).unwrap();
    assert_eq!((found.width, found.height, found.cleaned), (4, 1, None));
}

#[test]
fn a_cmyk_jpeg() {
    // 8 by 8, four components, one-bit Huffman codes: each block is its default, mid-grey.
    let tables: &[u8] = &[1; 64];
    let bytes = [
        b"\xFF\xD8\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0".as_slice(),
        b"\xFF\xDB\0\x43\0",
        tables,
        b"\xFF\xC0\0\x14\x08\0\x08\0\x08\x04\x01\x11\0\x02\x11\0\x03\x11\0\x04\x11\0",
        b"\xFF\xC4\0\x14\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\xFF\xC4\0\x14\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\xFF\xDA\0\x0E\x04\x01\0\x02\0\x03\0\x04\0\0\x3F\0\0\xFF\xD9",
    ]
    .concat();
    let found = process(&bytes, Jpeg).unwrap();
    assert_eq!((found.width, found.height, found.cleaned), (8, 8, None));
}

#[test]
fn an_animated_webp_shows_its_first_frame() {
    let mut frames = Vec::new();
    for seed in [1, 2] {
        let mut frame = Vec::new();
        let scene = samples::scene(32, 24, seed);
        WebPEncoder::new_lossless(&mut frame)
            .encode(&scene, 32, 24, image::ExtendedColorType::Rgb8)
            .unwrap();
        // Offset 0,0; 32 by 24; 100 ms; then the frame's own chunk.
        let body =
            [&[0, 0, 0, 0, 0, 0, 31, 0, 0, 23, 0, 0, 100, 0, 0, 0][..], &frame[12..]].concat();
        frames.extend_from_slice(b"ANMF");
        frames.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
        frames.extend_from_slice(&body);
    }
    let head = b"WEBPVP8X\x0A\0\0\0\x02\0\0\0\x1F\0\0\x17\0\0ANIM\x06\0\0\0\0\0\0\0\0\0";
    let len = u32::try_from(head.len() + frames.len()).unwrap().to_le_bytes();
    let bytes = [b"RIFF", &len[..], head, &frames].concat();
    let found = process(&bytes, Webp).unwrap();
    assert!(difference(&preview(&found), &samples::scene(32, 24, 1).into()) < 8);
    assert!(found.cleaned.is_none(), "the animation stays");
}

#[test]
fn a_jpeg_cut_short_is_refused() {
    let whole = samples::jpeg(200, 150, 1);
    for len in [2, 3, 20, 200, 700, whole.len() / 2, whole.len() - 1] {
        let refused = process(&whole[..len], Jpeg).unwrap_err();
        assert!(refused.0.contains("image est"), "{len}: {refused}");
    }
    let refused = process(&whole[..whole.len() - 300], Jpeg).unwrap_err();
    assert!(refused.0.contains("incomplète"), "{refused}");
}

#[test]
fn bombs_are_refused_by_their_header() {
    let bomb = samples::png_bomb(30_000, 30_000);
    assert!(bomb.len() < 1 << 20, "a real, highly compressed file of {} bytes", bomb.len());
    let start = std::time::Instant::now();
    assert!(process(&bomb, FileKind::Png).unwrap_err().0.contains("64 mégapixels"));
    // A GIF screen of 65 535 by 65 535 around a frame of one pixel.
    let mut gif = samples::gif(1, 1, 1);
    gif[6..10].fill(0xFF);
    assert!(process(&gif, Gif).unwrap_err().0.contains("64 mégapixels"));
    // The same in a JPEG's frame header.
    let mut jpeg = samples::jpeg(64, 64, 1);
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xFF);
    assert!(process(&jpeg, Jpeg).unwrap_err().0.contains("64 mégapixels"));
    assert!(start.elapsed().as_secs() < 3, "nothing was decoded");
}
