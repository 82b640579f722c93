//! Pictures: checked and measured, with a preview and a thumbnail, and without metadata but the orientation. Nothing is
//! allocated for pixels before the size in the header was found acceptable. Where the format allows it, no picture is
//! decoded bigger than its preview needs.

mod read;

use std::io::Cursor;

use erp_core::documents::kind::FileKind;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage,
    imageops::FilterType, metadata::Orientation,
};

use super::{Defect, need::Need, strip};

/// The most pixels of a picture: the 64 megapixels of a phone are a little more than 64 million.
const MAX_PIXELS: u64 = 64 * 1024 * 1024;
/// The most bytes of its decoded pixels: [`MAX_PIXELS`] with 16 bits for each of four channels.
const MAX_DECODED: u64 = 512 * 1024 * 1024;
/// A JPEG of up to so many pixels that cannot be read at reduced scale is decoded whole, by a decoder that tolerates more.
pub(super) const WHOLE_JPEG: u64 = 20_000_000;
/// Longest sides of what is derived, in pixels.
pub(super) const PREVIEW: u32 = 1600;
const THUMBNAIL: u32 = 320;
/// libwebp's quality, out of 100.
const PREVIEW_QUALITY: f32 = 80.0;
const THUMBNAIL_QUALITY: f32 = 75.0;

pub(super) const INCOMPLETE: Defect =
    Defect::new("L'image est incomplète : reprenez la photo ou renvoyez le fichier.");
pub(super) const DAMAGED: Defect =
    Defect::new("L'image est endommagée : reprenez la photo ou renvoyez le fichier.");
const TOO_LARGE: Defect = Defect::new(
    "L'image est trop grande (64 mégapixels au plus) : réduisez-la ou reprenez la photo, et renvoyez-la.",
);
const UNSUPPORTED: Defect = Defect::new(
    "Cette variante d'image n'est pas prise en charge : enregistrez-la en JPEG ou PNG et renvoyez-la.",
);

const TOO_HEAVY: Defect = Defect::new(
    "L'image demande trop de mémoire : réduisez-la, ou enregistrez-la en JPEG, et renvoyez-la.",
);

/// What is kept of a picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of the upright picture.
    pub width: u32,
    /// Pixels of the upright picture.
    pub height: u32,
    /// WebP of at most 1600 pixels on its long side, upright, without metadata.
    pub preview: Vec<u8>,
    /// WebP of at most 320 pixels on its long side, upright, without metadata.
    pub thumbnail: Vec<u8>,
    /// The original without metadata, of the same kind and with the same pixels; `None` when it had none. The colour
    /// profile stays, and so does an orientation, which every viewer honours.
    pub cleaned: Option<Vec<u8>>,
}

/// Fails when a picture with this need cannot be decoded in `memory` bytes.
pub(super) fn fits(need: &Need, memory: u64) -> Result<(), Defect> {
    if need.pixels > MAX_PIXELS {
        return Err(TOO_LARGE);
    }
    if need.bytes > memory { Err(TOO_HEAVY) } else { Ok(()) }
}

/// Decodes a picture of the given kind (the first frame of an animated one) and derives the rest.
pub(super) fn process(bytes: &[u8], kind: FileKind) -> Result<Picture, Defect> {
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
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let stripped = strip(bytes)?;
    let cleaned = strip::turned(stripped, kind, orientation)?;
    let cleaned = (cleaned != bytes).then_some(cleaned);
    let picture = match kind {
        FileKind::Jpeg => read::jpeg(bytes, decoder)?,
        FileKind::Png => {
            drop(decoder);
            read::png(bytes)?
        }
        _ => read::whole(decoder)?,
    };
    let mut preview = shrink(picture, PREVIEW);
    preview.apply_orientation(orientation);
    let thumbnail = shrink(preview.clone(), THUMBNAIL);
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

/// The size of a picture whose long side is to be at most `long` pixels; never bigger than it is.
pub(super) fn scaled((width, height): (u32, u32), long: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= long {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side =
            (u64::from(side) * u64::from(long) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(side).unwrap_or(long).max(1)
    };
    (scaled(width), scaled(height))
}

/// How many pixels in each direction may be averaged to one on the way to a smaller size: averaging is fast, and the filter
/// does the rest.
pub(super) fn step((width, height): (u32, u32), (to_width, to_height): (u32, u32)) -> u32 {
    (width / to_width).min(height / to_height)
}

/// Scales the picture down to at most `long` pixels on its long side.
fn shrink(mut picture: DynamicImage, long: u32) -> DynamicImage {
    let size = (picture.width(), picture.height());
    let to = scaled(size, long);
    if to == size {
        return picture;
    }
    let step = step(size, to);
    if step >= 2 {
        picture = picture.thumbnail_exact(size.0 / step, size.1 / step);
    }
    picture.resize_exact(to.0, to.1, FilterType::Triangle)
}

/// Encodes lossy WebP, with transparency if any pixel is transparent.
fn webp(picture: DynamicImage, quality: f32) -> Result<Vec<u8>, Defect> {
    let mut config = webp::WebPConfig::new().map_err(|()| DAMAGED)?;
    config.quality = quality;
    // Takes a third of the time of the default, for files of the same size within some percent.
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
