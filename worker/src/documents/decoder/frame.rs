//! The answer of a decoder: a line of JSON, then the bytes whose lengths it announces, one part after the other.

use std::io::{self, Write};

use erp_files::{Content, Defect, Picture};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
enum Head {
    Picture { width: u32, height: u32, preview: usize, thumbnail: usize, cleaned: Option<usize> },
    Pages(u32),
    Sound,
    Defect(String),
}

/// Writes what was found.
pub(super) fn write(out: &mut impl Write, found: &Result<Content, Defect>) -> io::Result<()> {
    let mut parts: [&[u8]; 3] = [&[]; 3];
    let head = match found {
        Ok(Content::Picture(picture)) => {
            let cleaned = picture.cleaned.as_deref();
            parts = [&picture.preview, &picture.thumbnail, cleaned.unwrap_or_default()];
            Head::Picture {
                width: picture.width,
                height: picture.height,
                preview: picture.preview.len(),
                thumbnail: picture.thumbnail.len(),
                cleaned: cleaned.map(<[u8]>::len),
            }
        }
        Ok(Content::Pages(pages)) => Head::Pages(*pages),
        Ok(Content::Sound) => Head::Sound,
        Err(defect) => Head::Defect(defect.to_string()),
    };
    serde_json::to_writer(&mut *out, &head)?;
    out.write_all(b"\n")?;
    parts.iter().try_for_each(|part| out.write_all(part))
}

/// The most bytes of the sentence about a defect.
const SENTENCE: usize = 512;

/// Reads what `write` wrote; `None` for anything else. A decoder that a hostile file controls may answer anything: the
/// sentence must be short, and preview and thumbnail must begin as a WebP does.
pub(super) fn read(bytes: &[u8]) -> Option<Result<Content, Defect>> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let mut rest = &bytes[end + 1..];
    let mut take = |len: usize| {
        let (part, after) = rest.split_at_checked(len)?;
        rest = after;
        Some(part.to_vec())
    };
    let found = match serde_json::from_slice(&bytes[..end]).ok()? {
        Head::Picture { width, height, preview, thumbnail, cleaned } => {
            let (preview, thumbnail) = (take(preview)?, take(thumbnail)?);
            let cleaned = match cleaned {
                Some(len) => Some(take(len)?),
                None => None,
            };
            if !(is_webp(&preview) && is_webp(&thumbnail)) {
                return None;
            }
            let picture = Picture { width, height, preview, thumbnail, cleaned };
            Ok(Content::Picture(Box::new(picture)))
        }
        Head::Pages(pages) => Ok(Content::Pages(pages)),
        Head::Sound => Ok(Content::Sound),
        Head::Defect(sentence) if sentence.len() > SENTENCE => return None,
        Head::Defect(sentence) => Err(Defect(sentence.into())),
    };
    rest.is_empty().then_some(found)
}

fn is_webp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let picture = |cleaned| {
            let (preview, thumbnail) = (b"RIFF\0\0\0\0WEBP\n".to_vec(), b"RIFF....WEBP".to_vec());
            Ok(Content::Picture(Box::new(Picture {
                width: 4,
                height: 3,
                preview,
                thumbnail,
                cleaned,
            })))
        };
        for found in [
            picture(None),
            picture(Some(Vec::new())),
            picture(Some(b"{}\n\0".to_vec())),
            Ok(Content::Pages(7)),
            Ok(Content::Sound),
            Err(Defect::new("Non : recommencez.")),
        ] {
            let mut bytes = Vec::new();
            write(&mut bytes, &found).unwrap();
            assert_eq!(read(&bytes).as_ref(), Some(&found));
            assert_eq!(read(&bytes[..bytes.len() - 1]), None, "cut short");
            assert_eq!(read(&[&bytes[..], b"x"].concat()), None, "with more behind");
        }
        assert_eq!(read(b""), None);
        let no_picture = b"{\"Picture\":{\"width\":1,\"height\":1,\"preview\":2,\"thumbnail\":2,\"cleaned\":null}}\n<p<p";
        assert_eq!(read(no_picture), None);
        assert_eq!(read(format!("{{\"Defect\":\"{}\"}}\n", "x".repeat(600)).as_bytes()), None);
        assert_eq!(
            read(b"{\"Picture\":{\"width\":1,\"height\":1,\"preview\":99999999999999}}\n"),
            None
        );
    }
}
