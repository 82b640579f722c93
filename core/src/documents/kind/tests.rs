//! Tables of file names and first bytes, with the expected results.

use super::{FileKind, Refusal, clean_name, is_text};

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const WEBP: &[u8] = b"RIFF\x24\0\0\0WEBPVP8 \x18\0\0\0";
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0";
const PDF: &[u8] = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n1 0 obj";
const ZIP: &[u8] = b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0";
const OLE: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1\0\0\0\0";
const EXE: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xFF\xFF\0\0";
const ELF: &[u8] = b"\x7FELF\x02\x01\x01\0";

fn content(found: Option<&'static str>) -> Result<FileKind, Refusal> {
    Err(Refusal::Content { found })
}

#[test]
fn name_and_content_must_agree() {
    use FileKind::{Csv, Docx, Gif, Jpeg, Pdf, Png, Txt, Webp, Xlsx};
    let jpeg_holding_pdf = [JPEG, b"\xFF\xFE\0\x20", PDF].concat();
    let late_pdf = [b"\n\nsome junk\n", PDF].concat();
    let too_late_pdf = [&[b' '; 1025], PDF].concat();
    let html = b"  <!DOCTYPE html ><script>alert(1)</script>".as_slice();
    let cases: &[(&str, &[u8], Result<FileKind, Refusal>)] = &[
        ("photo.jpg", JPEG, Ok(Jpeg)),
        ("PHOTO.JPEG", JPEG, Ok(Jpeg)),
        ("plan.final.Png", PNG, Ok(Png)),
        ("a.webp", WEBP, Ok(Webp)),
        ("a.gif", GIF, Ok(Gif)),
        ("devis.pdf", PDF, Ok(Pdf)),
        ("devis.pdf", &late_pdf, Ok(Pdf)),
        ("a.docx", ZIP, Ok(Docx)),
        ("a.xlsx", ZIP, Ok(Xlsx)),
        ("notes.txt", "Pompe n° 3 : étanchéité à revoir".as_bytes(), Ok(Txt)),
        ("notes.txt", b"BMCE Bank, agence de F\xE8s", Ok(Txt)),
        ("notes.txt", b"MZ-400 : remplacer le joint", Ok(Txt)),
        ("pièces.csv", b"r\xE9f;d\xE9signation;prix \x80\r\n", Ok(Csv)),
        ("pièces.csv", b"\xFF\xFEr\0\xE9\0f\0\t\0x\0\r\0\n\0", Ok(Csv)),
        ("pièces.csv", "\u{FEFF}réf;prix\n".as_bytes(), Ok(Csv)),
        (r"C:\Users\ali\photo.jpg", JPEG, Ok(Jpeg)),
        // The content is something else than the name says.
        ("devis.pdf", JPEG, content(Some("jpg"))),
        ("devis.pdf", &jpeg_holding_pdf, content(Some("jpg"))),
        ("devis.pdf", &too_late_pdf, content(None)),
        ("photo.jpg", PNG, content(Some("png"))),
        ("photo.png", JPEG, content(Some("jpg"))),
        ("photo.jpg", PDF, content(Some("pdf"))),
        ("photo.jpg", html, content(Some("html"))),
        ("photo.jpg", EXE, content(Some("exe"))),
        ("photo.jpg", b"juste du texte", content(None)),
        ("photo.jpg", b"\xFF\xD8", content(None)),
        ("a.docx", OLE, content(Some("msi"))),
        ("a.xlsx", PDF, content(Some("pdf"))),
        ("notes.txt", ZIP, content(Some("zip"))),
        ("notes.txt", PDF, content(Some("pdf"))),
        ("notes.txt", EXE, content(Some("exe"))),
        ("notes.txt", ELF, content(None)),
        ("notes.txt", html, content(Some("html"))),
        ("notes.txt", b"#!/bin/sh\nrm -rf /\n", content(Some("sh"))),
        ("notes.txt", b"<?xml version='1.0'?><svg/>", content(Some("xml"))),
        ("notes.txt", b"{\\rtf1 x}", content(Some("rtf"))),
        ("notes.txt", b"a\0b", content(None)),
        ("notes.csv", b"a;\x1B[31mb", content(None)),
        ("notes.csv", b"\xFF\xFEa\0\0\0", content(None)),
        // The name has no accepted extension.
        ("virus.exe", EXE, Err(Refusal::Extension)),
        ("page.html", html, Err(Refusal::Extension)),
        ("photo.jpg.exe", JPEG, Err(Refusal::Extension)),
        ("logo.svg", b"<svg/>", Err(Refusal::Extension)),
        ("macro.docm", ZIP, Err(Refusal::Extension)),
        ("photo", JPEG, Err(Refusal::Missing)),
        ("photo.", JPEG, Err(Refusal::Missing)),
        ("dossier.jpg/photo", JPEG, Err(Refusal::Missing)),
        ("", JPEG, Err(Refusal::Missing)),
        ("photo.jpg", b"", Err(Refusal::Empty)),
    ];
    for (name, head, expected) in cases {
        assert_eq!(
            &FileKind::identify(name, head),
            expected,
            "{name} {:?}",
            &head.escape_ascii().to_string()
        );
    }
}

#[test]
fn kinds_describe_themselves() {
    for kind in FileKind::ALL {
        assert_eq!(FileKind::from_extension(kind.extension()), Some(kind));
        assert_eq!(kind.is_image(), kind.content_type().starts_with("image/"));
    }
    let inline = FileKind::ALL.into_iter().filter(|kind| kind.served_inline()).count();
    assert_eq!(inline, 5, "four kinds of picture, and PDF");
}

#[test]
fn refusals_name_what_is_accepted() {
    let found = Some("exe");
    for refusal in
        [Refusal::Extension, Refusal::Content { found }, Refusal::Missing, Refusal::Empty]
    {
        assert!(refusal.french().contains("docx"), "{}", refusal.french());
        assert!(refusal.english().contains("docx"), "{}", refusal.english());
    }
    assert!(Refusal::Content { found }.french().contains("exe"));
}

#[test]
fn text_in_any_encoding() {
    assert!(is_text("عربي\u{C}".as_bytes()));
    assert!(is_text(&[0x81, 0x8D, 0x8F, 0x90, 0x9D]), "Windows-1256 and Mac Roman use them all");
    assert!(is_text(b"\xFE\xFF\0a\xD8\x3D\xDE\x00"), "UTF-16, with a surrogate pair");
    assert!(is_text(b"\xFE\xFF\0a\0b\0c\0d\0e\0f\xD8\x3D"), "cut inside the pair");
    assert!(!is_text(b"\xFE\xFF\0a\xD8\x3D\0b\0c\0d\0e\0f\0g"), "half a pair");
    assert!(!is_text(b"\xFE\xFF\0a\0"), "half a unit");
    assert!(!is_text(b"a\x7F"));
}

#[test]
fn names_are_only_data() {
    let long = format!("{}.jpg", "é".repeat(300));
    let cases = [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ali\Devis été.pdf", "Devis été.pdf"),
        ("a\0b\r\nc\u{7f}.txt", "abc.txt"),
        ("\u{202E}gpj.exe", "gpj.exe"),
        ("\u{2066}a\u{2069}\u{200F}.pdf", "a.pdf"),
        ("  espaces .txt ", "espaces .txt"),
        ("", "document"),
        ("/", "document"),
        ("..", "document"),
        ("\u{202E}\n", "document"),
    ];
    for (name, expected) in cases {
        assert_eq!(clean_name(name), expected, "{name:?}");
    }
    let short = clean_name(&long);
    assert_eq!(short.chars().count(), 255);
    assert!(short.starts_with("éé") && short.ends_with("é.jpg"));
    assert_eq!(clean_name(&"x".repeat(400)).len(), 255);
    assert_eq!(clean_name(&format!("a.{}", "x".repeat(400))).len(), 255);
}

#[test]
fn half_a_pair_of_utf_16_is_text_at_the_end_of_the_head_alone() {
    let utf_16 = |units: &[u16]| {
        let units = [0xFEFF_u16].into_iter().chain(units.iter().copied());
        is_text(&units.flat_map(u16::to_le_bytes).collect::<Vec<_>>())
    };
    let (high, low, a) = (0xD83D, 0xDD27, u16::from(b'a'));
    assert!(utf_16(&[a, high, low, a]) && utf_16(&[a, a, high]));
    // A binary file that begins like text: such halves lie anywhere in it.
    assert!(!utf_16(&[a, a, a, a, high, a]) && !utf_16(&[low, a, a]));
}
