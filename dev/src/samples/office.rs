//! The smallest Word and Excel files that Word and Excel open.

use std::io::{Cursor, Write as _};

use zip::{ZipWriter, write::SimpleFileOptions};

const XML: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#;
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006";
const MAIN: &str = "http://schemas.openxmlformats.org";

/// A Word document; each line of `text` is a paragraph.
#[must_use]
pub fn docx(text: &str) -> Vec<u8> {
    let mut paragraphs = String::new();
    for line in text.lines() {
        paragraphs += r#"<w:p><w:r><w:t xml:space="preserve">"#;
        paragraphs += &escaped(line);
        paragraphs += "</w:t></w:r></w:p>";
    }
    let document = format!(
        r#"<w:document xmlns:w="{MAIN}/wordprocessingml/2006/main"><w:body>{paragraphs}</w:body></w:document>"#
    );
    package("word/document.xml", "wordprocessingml.document", &[("word/document.xml", document)])
}

/// An Excel workbook of one sheet; every cell is text.
#[must_use]
pub fn xlsx(rows: &[Vec<&str>]) -> Vec<u8> {
    let mut cells = String::new();
    for row in rows {
        cells += "<row>";
        for cell in row {
            cells += r#"<c t="inlineStr"><is><t>"#;
            cells += &escaped(cell);
            cells += "</t></is></c>";
        }
        cells += "</row>";
    }
    let main = format!("{MAIN}/spreadsheetml/2006/main");
    let workbook = format!(
        r#"<workbook xmlns="{main}" xmlns:r="{OFFICE}/relationships"><sheets><sheet name="Feuille 1" sheetId="1" r:id="rId1"/></sheets></workbook>"#
    );
    let relations = format!(
        r#"<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{OFFICE}/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#
    );
    let sheet = format!(r#"<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>"#);
    package(
        "xl/workbook.xml",
        "spreadsheetml.sheet",
        &[
            ("xl/workbook.xml", workbook),
            ("xl/_rels/workbook.xml.rels", relations),
            ("xl/worksheets/sheet1.xml", sheet),
        ],
    )
}

/// Zips the parts together with those that make a package of them; `main` is the part that is opened first.
fn package(main: &str, kind: &str, parts: &[(&str, String)]) -> Vec<u8> {
    let media = "application/vnd.openxmlformats-officedocument";
    let worksheet = format!(
        r#"<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{media}.spreadsheetml.worksheet+xml"/>"#
    );
    let worksheet = if main.starts_with("xl/") { worksheet.as_str() } else { "" };
    let types = format!(
        r#"<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/{main}" ContentType="{media}.{kind}.main+xml"/>{worksheet}</Types>"#
    );
    let relations = format!(
        r#"<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{OFFICE}/relationships/officeDocument" Target="{main}"/></Relationships>"#
    );
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let first = [("[Content_Types].xml", types), ("_rels/.rels", relations)];
    for (name, xml) in first.iter().chain(parts) {
        // A fixed date: the same document gives the same bytes.
        let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        zip.start_file(*name, options).expect("the names are ours");
        zip.write_all(format!("{XML}\n{xml}").as_bytes()).expect("memory takes it");
    }
    zip.finish().expect("memory takes it").into_inner()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
