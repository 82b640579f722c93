//! PDF, Word, Excel and text: what is sound, and what is refused with which advice.

use std::io::{Cursor, Write as _};

use erp_core::documents::kind::FileKind::{Docx, Xlsx};
use erp_dev::samples;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::{office, pdf, text};

#[test]
fn pages_are_counted() {
    for pages in [1, 2, 250] {
        assert_eq!(pdf::pages(&samples::pdf(pages, &["a"])), Ok(pages));
    }
    let junk_first = [b"\r\n\r\n".as_slice(), &samples::pdf(2, &[])].concat();
    assert_eq!(pdf::pages(&junk_first), Ok(2));
}

#[test]
fn what_is_no_pdf_is_refused() {
    let pdf = samples::pdf(2, &["a"]);
    let without_pages = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [] /Count 0 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF";
    let own_child = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n2 0 obj\n<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF";
    let deep = [b"%PDF-1.4\n1 0 obj\n".as_slice(), &b"[".repeat(20_000)].concat();
    let parts = [b"%PDF-1.4\n", &pdf[..60], &pdf[20..], without_pages, own_child, &deep];
    for bytes in parts {
        let refused = pdf::pages(bytes).unwrap_err();
        assert!(refused.0.contains("endommagé"), "{refused}");
    }
}

#[test]
fn a_pdf_with_a_password_says_so() {
    // The trailer names a standard security handler whose keys fit no empty password.
    let keys = "0".repeat(64);
    let encrypt = format!(
        "9 0 obj\n<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <{keys}> /U <{keys}> >>\nendobj\n"
    );
    let pdf = String::from_utf8_lossy(&samples::pdf(1, &["a"])).replace("xref\n", "Xref\n");
    let locked =
        pdf.replace("trailer\n<<", &format!("{encrypt}trailer\n<< /Encrypt 9 0 R /ID [<00> <00>]"));
    let refused = pdf::pages(locked.as_bytes()).unwrap_err();
    assert!(refused.0.contains("mot de passe") || refused.0.contains("endommagé"), "{refused}");
}

fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn office_files_of_the_right_kind() {
    let (docx, xlsx) = (samples::docx("Rapport"), samples::xlsx(&[vec!["a", "b"]]));
    assert_eq!(office::check(&docx, Docx), Ok(()));
    assert_eq!(office::check(&xlsx, Xlsx), Ok(()));
    assert!(office::check(&docx, Xlsx).is_err());
    assert!(office::check(&xlsx, Docx).is_err());
    assert!(office::check(&docx[..docx.len() - 30], Docx).is_err());
    assert!(office::check(&archive(&[("a.txt", b"a")]), Docx).is_err());
    // Word on the web's name for the main part.
    let types = br#"<Override PartName="/word/document2.xml" ContentType="x.wordprocessingml.document.main+xml"/>"#;
    let online = [("[Content_Types].xml", &types[..]), ("word/document2.xml", b"<w/>")];
    assert_eq!(office::check(&archive(&online), Docx), Ok(()));
}

#[test]
fn macros_and_bombs_are_refused() {
    let types: &[u8] =
        b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
    let base = [("[Content_Types].xml", types), ("word/document.xml", b"<w/>".as_slice())];
    let with_macros = [base.as_slice(), &[("word/vbaProject.bin", b"x")]].concat();
    assert!(office::check(&archive(&with_macros), Docx).unwrap_err().0.contains("macros"));

    let zeros = vec![0; 27 << 20];
    let names: Vec<String> = (0..20).map(|n| format!("word/media/{n}")).collect();
    let media = names.iter().map(|name| (name.as_str(), zeros.as_slice()));
    let bomb = archive(&base.into_iter().chain(media).collect::<Vec<_>>());
    assert!(bomb.len() < 1 << 20, "540 MiB in {} bytes", bomb.len());
    assert!(office::check(&bomb, Docx).unwrap_err().0.contains("démesuré"));

    let names: Vec<String> = (0..6000).map(|n| format!("word/{n}")).collect();
    let parts: Vec<_> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
    assert!(office::check(&archive(&parts), Docx).unwrap_err().0.contains("démesuré"));
}

#[test]
fn text_is_checked_to_its_end() {
    let mut bytes = "réf;prix\r\n".repeat(2000).into_bytes();
    assert_eq!(text::check(&bytes), Ok(()));
    bytes.push(0);
    assert!(text::check(&bytes).is_err());
}
