//! Pictures: checked, measured, made upright, with a preview, a thumbnail, and no metadata.
//! Nothing is allocated for the pixels before the header's size was found acceptable.

use std::io::Cursor;

use bytes::Bytes;
use erp_core::documents::kind::FileKind;
use image::{
    DynamicImage, ImageDecoder, ImageEncoder as _, ImageError, ImageFormat, ImageReader, Limits,
    RgbaImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops::FilterType,
    metadata::Orientation,
};
use img_parts::{ImageICC as _, webp::WebP};

use super::{Defect, strip};

/// Pixels of the biggest picture: the 64 megapixels of a phone are a little more than 64 million.
const MAX_PIXELS: u64 = 64 * 1024 * 1024;
/// Bytes of its decoded pixels: the above with 16 bits for each of four channels.
const MAX_DECODED: u64 = 512 * 1024 * 1024;
/// Longest sides of what is derived, in pixels.
const PREVIEW: u32 = 1600;
const THUMBNAIL: u32 = 320;
/// libwebp's quality, out of 100.
const PREVIEW_QUALITY: f32 = 80.0;
const THUMBNAIL_QUALITY: f32 = 75.0;
/// Of an original that must be encoded anew, out of 100: high, since it replaces the only copy.
const ORIGINAL_QUALITY: u8 = 92;

pub(super) const INCOMPLETE: Defect =
    Defect("L'image est incomplète : reprenez la photo ou renvoyez le fichier.");
pub(super) const DAMAGED: Defect =
    Defect("L'image est endommagée : reprenez la photo ou renvoyez le fichier.");
const TOO_LARGE: Defect = Defect(
    "L'image est trop grande (64 mégapixels au plus) : réduisez-la ou reprenez la photo, et renvoyez-la.",
);
const UNSUPPORTED: Defect = Defect(
    "Cette variante d'image n'est pas prise en charge : enregistrez-la en JPEG ou PNG et renvoyez-la.",
);

/// What is kept of a picture.
#[derive(Debug)]
pub struct Picture {
    /// Pixels, as it is seen: after turning it upright.
    pub width: u32,
    /// Pixels, as it is seen: after turning it upright.
    pub height: u32,
    /// WebP of at most 1600 pixels on its long side, upright, without metadata.
    pub preview: Vec<u8>,
    /// WebP of at most 320 pixels on its long side, upright, without metadata.
    pub thumbnail: Vec<u8>,
    /// The original without metadata, of the same kind; `None` when it had none.
    /// The colour profile stays. The pixels are the same, but for a JPEG or lossy WebP that its
    /// metadata turned: that one is encoded anew, upright.
    pub cleaned: Option<Vec<u8>>,
}

/// Decodes a picture of the given kind (the first frame of an animated one) and derives the rest.
pub fn process(bytes: &[u8], kind: FileKind) -> Result<Picture, Defect> {
    let (format, strip): (_, fn(&[u8]) -> _) = match kind {
        FileKind::Jpeg => (ImageFormat::Jpeg, strip::jpeg),
        FileKind::Png => (ImageFormat::Png, strip::png),
        FileKind::Webp => (ImageFormat::WebP, strip::webp),
        FileKind::Gif => (ImageFormat::Gif, strip::gif),
        _ => return Err(UNSUPPORTED),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| defect(&error))?;

    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_DECODED {
        return Err(TOO_LARGE);
    }
    if width == 0 || height == 0 {
        return Err(DAMAGED);
    }
    let stripped = strip(bytes)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().unwrap_or_default();
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| defect(&error))?;

    // Turned when small: turning all of the original costs as much memory again.
    let mut preview = shrink(&picture, PREVIEW);
    preview.apply_orientation(orientation);
    let cleaned = if orientation == Orientation::NoTransforms {
        (stripped != bytes).then_some(stripped)
    } else {
        Some(turned(picture, orientation, kind, bytes, profile)?)
    };
    let thumbnail = shrink(&preview, THUMBNAIL);
    let (width, height) =
        if turns_sideways(orientation) { (height, width) } else { (width, height) };
    Ok(Picture {
        width,
        height,
        preview: webp(preview, PREVIEW_QUALITY)?,
        thumbnail: webp(thumbnail, THUMBNAIL_QUALITY)?,
        cleaned,
    })
}

fn defect(error: &ImageError) -> Defect {
    match error {
        ImageError::Limits(_) => TOO_LARGE,
        ImageError::Unsupported(_) => UNSUPPORTED,
        ImageError::IoError(_) => INCOMPLETE,
        _ => DAMAGED,
    }
}

fn turns_sideways(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// A copy of at most `long` pixels on its long side, never bigger than the picture itself.
fn shrink(picture: &DynamicImage, long: u32) -> DynamicImage {
    let (width, height) = (picture.width(), picture.height());
    let longest = width.max(height);
    if longest <= long {
        return picture.clone();
    }
    let scaled = |side: u32| {
        let side =
            (u64::from(side) * u64::from(long) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(side).unwrap_or(long).max(1)
    };
    let (to_width, to_height) = (scaled(width), scaled(height));
    // Whole steps by averaging are quick and need no buffer; the filter does the rest.
    let step = (width / to_width).min(height / to_height);
    if step >= 2 {
        let smaller = picture.thumbnail_exact(width / step, height / step);
        smaller.resize_exact(to_width, to_height, FilterType::Triangle)
    } else {
        picture.resize_exact(to_width, to_height, FilterType::Triangle)
    }
}

/// Lossy WebP, with transparency where there is some.
fn webp(picture: DynamicImage, quality: f32) -> Result<Vec<u8>, Defect> {
    let mut config = webp::WebPConfig::new().map_err(|()| DAMAGED)?;
    config.quality = quality;
    // A third of the default's time, for files of the same size within some percent.
    config.method = 2;
    let (width, height) = (picture.width(), picture.height());
    let alpha = picture.color().has_alpha().then(|| picture.to_rgba8());
    let transparent = |picture: &RgbaImage| picture.pixels().any(|pixel| pixel.0[3] < 255);
    let encoded = if let Some(picture) = alpha.filter(transparent) {
        webp::Encoder::from_rgba(&picture, width, height).encode_advanced(&config)
    } else {
        let picture = picture.into_rgb8();
        webp::Encoder::from_rgb(&picture, width, height).encode_advanced(&config)
    };
    encoded.map(|webp| webp.to_vec()).map_err(|_| DAMAGED)
}

/// The original encoded anew, upright: without its metadata nothing would turn it any more.
fn turned(
    mut picture: DynamicImage,
    orientation: Orientation,
    kind: FileKind,
    bytes: &[u8],
    profile: Option<Vec<u8>>,
) -> Result<Vec<u8>, Defect> {
    picture.apply_orientation(orientation);
    let profile = profile.filter(|profile| describes(profile, &picture));
    let mut out = Vec::new();
    match kind {
        FileKind::Jpeg => {
            let mut encoder = JpegEncoder::new_with_quality(&mut out, ORIGINAL_QUALITY);
            // A profile that cannot be written is not worth refusing the picture for.
            profile.map(|profile| encoder.set_icc_profile(profile).ok());
            picture.write_with_encoder(encoder).map_err(|error| defect(&error))?;
        }
        FileKind::Webp => {
            out = webp(picture, ORIGINAL_QUALITY.into())?;
            if let Some(profile) = profile {
                let mut parts = WebP::from_bytes(out.into()).map_err(|_| DAMAGED)?;
                parts.set_icc_profile(Some(Bytes::from(profile)));
                out = parts.encoder().bytes().to_vec();
            }
        }
        FileKind::Png => {
            let mut encoder = PngEncoder::new(&mut out);
            profile.map(|profile| encoder.set_icc_profile(profile).ok());
            picture.write_with_encoder(encoder).map_err(|error| defect(&error))?;
        }
        // No other kind says how it is to be turned.
        _ => return strip::gif(bytes),
    }
    Ok(out)
}

/// Whether a colour profile is for pixels such as these: that of a CMYK original is not, since
/// its pixels were converted in decoding.
fn describes(profile: &[u8], picture: &DynamicImage) -> bool {
    let space: &[u8] = if picture.color().has_color() { b"RGB " } else { b"GRAY" };
    profile.get(16..20) == Some(space)
}
