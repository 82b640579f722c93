//! The processor time for a photo, beside `vipsthumbnail` of libvips (Debian: `libvips-tools`) on one thread, which makes the same two
//! pictures from the same file. Ours also checks the file and removes its metadata.
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use erp_bench::{Report, cpu_seconds, median};
use erp_core::documents::FileKind;
use erp_dev::samples;
use erp_files::{Content, examine};
use image::{DynamicImage, RgbImage, codecs::jpeg::JpegEncoder};

const ROUNDS: usize = 5;
/// Photos of one measurement: the kernel counts processor time in hundredths of a second.
const PHOTOS: u32 = 8;
const MEMORY: u64 = 1 << 30;
const SIZE: (u32, u32) = (4000, 3000);

fn main() -> anyhow::Result<()> {
    let version = Command::new("vipsthumbnail").arg("--vips-version").output();
    let version = version.context("vipsthumbnail is not installed (Debian: libvips-tools)")?;
    println!("{}", String::from_utf8_lossy(&version.stdout).trim());
    let mut report = Report::default();
    for (name, extension, bytes) in photos()? {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(each(|| ours_of(&bytes, extension))?);
            theirs.push(each(|| theirs_of(&bytes, extension))?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        report.line(
            &format!("{name}, {} KB", bytes.len() / 1000),
            format!("{:.0} ms", ours * 1000.0),
            format!("{:.0} ms vipsthumbnail", theirs * 1000.0),
            format!("{:.2}", ours / theirs),
        );
    }
    report.print();
    Ok(())
}

/// Photos of twelve megapixels, and one picture of a screen.
fn photos() -> anyhow::Result<Vec<(&'static str, &'static str, Vec<u8>)>> {
    let (width, height) = SIZE;
    let scene = samples::jpeg(width, height, 1);
    let grain = |strength: u8| jpeg(&grained(samples::scene(width, height, 1), strength));
    Ok(vec![
        ("even areas", "jpg", scene),
        ("a fine grain, as of a phone", "jpg", grain(12)?),
        ("the same, turned by EXIF", "jpg", samples::from_a_phone(&grain(12)?, 6)),
        ("noise", "jpg", grain(255)?),
        ("a PNG of a screen", "png", samples::png(2560, 1440, 1)),
    ])
}

fn jpeg(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    DynamicImage::from(picture.clone())
        .write_with_encoder(JpegEncoder::new_with_quality(&mut out, 85))?;
    Ok(out)
}

/// The picture with noise of up to `strength` on each sample, the same at each run (xorshift64).
fn grained(mut picture: RgbImage, strength: u8) -> RgbImage {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for sample in picture.iter_mut() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [noise, ..] = state.to_be_bytes();
        let noise = u16::from(noise) * u16::from(strength) / 255;
        let grained = (u16::from(*sample) + noise).saturating_sub(u16::from(strength) / 2);
        *sample = u8::try_from(grained).unwrap_or(u8::MAX);
    }
    picture
}

/// Seconds of processor time for one call of `work`, in this process and its children.
fn each(work: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let before = cpu_seconds(std::process::id())?;
    for _ in 0..PHOTOS {
        work()?;
    }
    Ok((cpu_seconds(std::process::id())? - before) / f64::from(PHOTOS))
}

fn ours_of(bytes: &[u8], extension: &str) -> anyhow::Result<()> {
    let kind = FileKind::from_extension(extension).context("no kind")?;
    match examine(bytes, kind, MEMORY)? {
        Content::Picture(_) => Ok(()),
        other => bail!("not a picture: {other:?}"),
    }
}

/// The thumbnail is made of the preview, as ours is: from the photo it would be decoded twice.
fn theirs_of(bytes: &[u8], extension: &str) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join(format!("photo.{extension}"));
    std::fs::write(&file, bytes)?;
    let preview = dir.path().join("preview.webp");
    for (from, name, size, quality) in
        [(&file, "preview", "1600x1600>", 80), (&preview, "thumbnail", "320x320>", 75)]
    {
        let output = dir.path().join(format!("{name}.webp[Q={quality},effort=2,strip]"));
        let mut command = Command::new("vipsthumbnail");
        command.env("VIPS_CONCURRENCY", "1").args(["--size", size, "--output"]);
        command.arg(&output).arg(from);
        ensure!(command.status()?.success(), "{command:?}");
    }
    ensure!(dir.path().join("thumbnail.webp").is_file(), "no thumbnail");
    Ok(())
}
