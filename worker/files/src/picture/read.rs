//! Reads the pixels of a picture, no bigger than its preview needs.

use std::io::Cursor;

use image::{DynamicImage, GrayAlphaImage, GrayImage, ImageDecoder, RgbImage, RgbaImage};
use jpeg_decoder::PixelFormat;
use png::Transformations;

use super::{DAMAGED, Defect, INCOMPLETE, PREVIEW, TOO_HEAVY, WHOLE_JPEG, defect, scaled, step};

/// The whole picture, as its decoder gives it.
pub(super) fn whole(decoder: impl ImageDecoder) -> Result<DynamicImage, Defect> {
    DynamicImage::from_decoder(decoder).map_err(|error| defect(&error))
}

/// A JPEG at the least of its scales (1, 1/2, 1/4, 1/8) that is no smaller than the preview: a 48-megapixel photo takes
/// some 20 MiB. What that decoder does not know or finds damaged is read whole by `decoder`, which knows CMYK and tolerates
/// more; an RGB or grey one only up to `WHOLE_JPEG` pixels.
pub(super) fn jpeg(bytes: &[u8], decoder: impl ImageDecoder) -> Result<DynamicImage, Defect> {
    let (width, height) = decoder.dimensions();
    let mut reduced = jpeg_decoder::Decoder::new(bytes);
    let edge = u16::try_from(PREVIEW).unwrap_or(u16::MAX);
    let size = reduced.scale(edge, edge);
    let format = reduced.info().map(|info| info.pixel_format);
    let may_be_whole = u64::from(width) * u64::from(height) <= WHOLE_JPEG
        || format.is_none_or(|format| format == PixelFormat::CMYK32);
    let pixels = match (size, format) {
        (Ok(size), Some(PixelFormat::RGB24 | PixelFormat::L8)) => {
            reduced.decode().ok().map(|pixels| (size, pixels))
        }
        _ => None,
    };
    match pixels {
        Some(((width, height), pixels)) => {
            drop((reduced, decoder));
            let channels = if format == Some(PixelFormat::L8) { 1 } else { 3 };
            image((width.into(), height.into()), channels, pixels)
        }
        None if may_be_whole => {
            drop(reduced);
            whole(decoder)
        }
        None => Err(DAMAGED),
    }
}

/// A PNG with 8 bits a channel, averaged as its rows are read: only an interlaced one is ever whole in memory.
pub(super) fn png(bytes: &[u8]) -> Result<DynamicImage, Defect> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(|error| png_defect(&error))?;
    let (width, height) = reader.info().size();
    let channels = reader.output_color_type().0.samples();
    if reader.info().interlaced {
        let mut pixels = vec![0; reader.output_buffer_size().ok_or(TOO_HEAVY)?];
        reader.next_frame(&mut pixels).map_err(|error| png_defect(&error))?;
        return image((width, height), channels, pixels);
    }
    let step = step((width, height), scaled((width, height), PREVIEW)).max(1);
    let mut average = Average::new((width, height), (width / step, height / step), channels);
    while let Some(row) = reader.next_row().map_err(|error| png_defect(&error))? {
        average.add(row.data());
    }
    average.finish()
}

/// A picture under construction, whose pixels are the means of those of a bigger one.
struct Average {
    from: (usize, usize),
    to: (usize, usize),
    channels: usize,
    /// Rows added so far.
    seen: usize,
    /// How many of them `sums` holds.
    held: u32,
    sums: Vec<u32>,
    /// How many source pixels of a row go into each target pixel.
    columns: Vec<u32>,
    pixels: Vec<u8>,
}

impl Average {
    fn new(from: (u32, u32), to: (u32, u32), channels: usize) -> Self {
        let as_usize = |(width, height): (u32, u32)| (width as usize, height as usize);
        let (from, to) = (as_usize(from), as_usize(to));
        let mut columns = vec![0; to.0];
        (0..from.0).for_each(|x| columns[x * to.0 / from.0] += 1);
        Self {
            from,
            to,
            channels,
            seen: 0,
            held: 0,
            sums: vec![0; to.0 * channels],
            columns,
            pixels: Vec::with_capacity(to.0 * to.1 * channels),
        }
    }

    fn add(&mut self, row: &[u8]) {
        if self.from == self.to {
            self.pixels.extend_from_slice(row);
            return;
        }
        let mut samples = row.chunks_exact(self.channels);
        for (sums, count) in self.sums.chunks_exact_mut(self.channels).zip(&self.columns) {
            for pixel in samples.by_ref().take(*count as usize) {
                sums.iter_mut().zip(pixel).for_each(|(sum, sample)| *sum += u32::from(*sample));
            }
        }
        self.seen += 1;
        self.held += 1;
        // The next row belongs to the next target row.
        let is_last =
            self.seen * self.to.1 / self.from.1 != (self.seen - 1) * self.to.1 / self.from.1;
        if is_last {
            for (sums, count) in self.sums.chunks_exact_mut(self.channels).zip(&self.columns) {
                let count = count * self.held;
                for sum in sums {
                    let mean = (*sum + count / 2) / count;
                    self.pixels.push(u8::try_from(mean).unwrap_or(u8::MAX));
                    *sum = 0;
                }
            }
            self.held = 0;
        }
    }

    fn finish(self) -> Result<DynamicImage, Defect> {
        let size = u32::try_from(self.to.0).ok().zip(u32::try_from(self.to.1).ok());
        image(size.ok_or(TOO_HEAVY)?, self.channels, self.pixels)
    }
}

/// The picture of these pixels; `INCOMPLETE` when they are fewer than its size needs, because the file was cut short.
fn image(
    (width, height): (u32, u32),
    channels: usize,
    pixels: Vec<u8>,
) -> Result<DynamicImage, Defect> {
    match channels {
        1 => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        2 => GrayAlphaImage::from_raw(width, height, pixels).map(DynamicImage::from),
        3 => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        _ => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from),
    }
    .ok_or(INCOMPLETE)
}

fn png_defect(error: &png::DecodingError) -> Defect {
    match error {
        png::DecodingError::IoError(_) => INCOMPLETE,
        png::DecodingError::LimitsExceeded => TOO_HEAVY,
        _ => DAMAGED,
    }
}
