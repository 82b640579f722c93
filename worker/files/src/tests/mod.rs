//! Every kind of sample, whole, cut short and with flipped bits.
//! What must hold for all of them: an answer with a sentence, never a panic.

mod documents;
mod pictures;
mod strip;

use erp_core::documents::kind::{FileKind, HEAD_BYTES};
use erp_dev::samples;

use super::{Content, Defect, need::Need, office, pdf, picture, text};

fn sample_of(kind: FileKind) -> Vec<u8> {
    match kind {
        FileKind::Jpeg => samples::jpeg_with_gps(40, 30, 6),
        FileKind::Png => samples::png(40, 30, 1),
        FileKind::Webp => samples::webp(40, 30, 1),
        FileKind::Gif => samples::gif(40, 30, 3),
        FileKind::Pdf => samples::pdf(3, &["Rapport d'intervention", "Pompe (n° 3) : réparée"]),
        FileKind::Txt => b"Compte rendu\r\nRAS".to_vec(),
        FileKind::Csv => b"r\xE9f;prix\r\n12;3,50\r\n".to_vec(),
        FileKind::Docx => samples::docx("Rapport\nTout va bien & <mieux>"),
        FileKind::Xlsx => samples::xlsx(&[vec!["réf", "prix"], vec!["12", "3,50"]]),
    }
}

const KINDS: [FileKind; 9] = [
    FileKind::Jpeg,
    FileKind::Png,
    FileKind::Webp,
    FileKind::Gif,
    FileKind::Pdf,
    FileKind::Txt,
    FileKind::Csv,
    FileKind::Docx,
    FileKind::Xlsx,
];

/// Like `examine`, but without its guard, so that a panic fails the test.
fn examine(bytes: &[u8], kind: FileKind) -> Result<Content, Defect> {
    match kind {
        FileKind::Pdf => pdf::pages(bytes).map(Content::Pages),
        FileKind::Docx | FileKind::Xlsx => office::check(bytes, kind).map(|()| Content::Sound),
        FileKind::Txt | FileKind::Csv => text::check(bytes).map(|()| Content::Sound),
        _ => picture::process(bytes, kind).map(|found| Content::Picture(Box::new(found))),
    }
}

#[test]
fn samples_are_what_they_say() {
    for kind in KINDS {
        let bytes = sample_of(kind);
        let name = format!("échantillon.{}", kind.extension());
        assert_eq!(FileKind::identify(&name, &bytes[..bytes.len().min(HEAD_BYTES)]), Ok(kind));
        super::examine(&bytes, kind, u64::MAX).unwrap();
        for other in KINDS.into_iter().filter(|other| other.is_image() != kind.is_image()) {
            let text = matches!(kind, FileKind::Txt | FileKind::Csv)
                && matches!(other, FileKind::Txt | FileKind::Csv);
            assert!(
                text || super::examine(&bytes, other, u64::MAX).is_err(),
                "{kind:?} taken for {other:?}"
            );
        }
    }
}

#[test]
fn damage_is_answered() {
    // xorshift: the same cases each time, so that a failure can be looked at again.
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 11).unwrap() % below
    };
    for kind in KINDS {
        let sample = sample_of(kind);
        for case in 0..120 {
            let mut bytes = sample.clone();
            if case % 3 == 0 {
                bytes.truncate(next(bytes.len()));
            } else {
                for _ in 0..=next(8) {
                    let at = next(bytes.len());
                    bytes[at] ^= 1 << next(8);
                }
            }
            let _ = Need::of(&bytes, kind);
            if let Err(defect) = examine(&bytes, kind) {
                assert!(defect.0.ends_with('.') && defect.0.contains(" : "), "{defect}");
            }
        }
        let _ = Need::of(&[], kind);
        assert!(examine(&[], kind).is_err() || kind == FileKind::Txt || kind == FileKind::Csv);
    }
}
