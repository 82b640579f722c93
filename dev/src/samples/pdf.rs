//! A small PDF, written by hand: one font, some lines of text.

use std::fmt::Write as _;

/// A PDF of `pages` A4 pages, at least one, each with its number and the `lines`.
#[must_use]
pub fn pdf(pages: u32, lines: &[&str]) -> Vec<u8> {
    let pages = pages.max(1);
    // Objects: 1 catalog, 2 pages, 3 font, then for each page itself and its content.
    let page_id = |n: u32| 4 + 2 * n;
    let kids: String = (0..pages).fold(String::new(), |mut kids, n| {
        let _ = write!(kids, "{} 0 R ", page_id(n));
        kids
    });
    let mut objects = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {pages} >>").into_bytes(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_vec(),
    ];
    for n in 0..pages {
        objects.push(
            format!(
                "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] \
                 /Resources << /Font << /F1 3 0 R >> >> /Contents {} 0 R >>",
                page_id(n) + 1
            )
            .into_bytes(),
        );
        let mut text = b"BT /F1 12 Tf 16 TL 56 780 Td\n".to_vec();
        let number = format!("Page {} / {pages}", n + 1);
        for line in std::iter::once(number.as_str()).chain(lines.iter().copied()) {
            text.push(b'(');
            text.extend(line.chars().flat_map(escaped));
            text.extend_from_slice(b") Tj T*\n");
        }
        text.extend_from_slice(b"ET\n");
        let mut stream = format!("<< /Length {} >>\nstream\n", text.len()).into_bytes();
        stream.extend_from_slice(&text);
        stream.extend_from_slice(b"endstream");
        objects.push(stream);
    }
    assemble(&objects)
}

/// The Latin-1 byte, as in `WinAnsiEncoding`; a character that it does not have becomes `?`.
fn escaped(c: char) -> impl Iterator<Item = u8> {
    let escape = matches!(c, '(' | ')' | '\\').then_some(b'\\');
    let byte = u8::try_from(c).ok().filter(|&byte| byte >= 0x20).unwrap_or(b'?');
    escape.into_iter().chain(Some(byte))
}

fn assemble(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"%PDF-1.4\n%\xE2\xE3\xCF\xD3\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (index, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", out.len());
        out.extend_from_slice(format!("{} 0 obj\n", index + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let (start, size) = (out.len(), objects.len() + 1);
    let _ = write!(table, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    out.extend_from_slice(table.as_bytes());
    out
}
