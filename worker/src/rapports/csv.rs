//! CSV, in parts: what an earlier attempt has written is not written again.
use bytes::Bytes;
use csv::{QuoteStyle, Terminator, WriterBuilder};
use erp_core::{
    Error, Lang, Result,
    rapports::{
        self, FormatRapport, Reprise,
        generation::{self, Made, Wanted},
        listes::{Cellule, Colonne, Liste},
    },
    storage::Writer,
};
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::lecture::{Lecture, Suite, goes_on};
use crate::work::Work;

/// Rows of a part: some ten megabytes, a few seconds' work.
const PART: i64 = 50_000;
/// Tells a spreadsheet that the text is UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// Writes the file; `None` if nobody waits for it any more.
pub(super) async fn write(work: &Work, wanted: &Wanted, liste: &Liste) -> Result<Option<Made>> {
    let pour = liste.pour();
    let kept = wanted.reprise.clone().filter(|reprise| reprise.pour == pour);
    let mut reprise = kept.unwrap_or_else(|| Reprise { pour, ..Reprise::default() });
    let apres = (!reprise.parts.is_empty()).then(|| reprise.apres.clone());
    let mut lecture = Lecture::begin(work, wanted, liste, (apres, reprise.lignes)).await?;
    loop {
        let Some(part) = write_part(work, wanted, liste, &mut lecture, &reprise).await? else {
            return Ok(None);
        };
        reprise.parts.push(part.fichier);
        reprise.lignes = lecture.lignes;
        let Some(apres) = &lecture.apres else {
            // A file of one part is that part.
            let is_whole = reprise.parts.len() == 1;
            return if is_whole { Ok(Some(part)) } else { join(work, wanted, &reprise).await };
        };
        reprise.apres.clone_from(apres);
        let mut tx = work.begin().await?;
        if !generation::keep(&mut tx, &wanted.job, Some(&reprise)).await? {
            drop(tx);
            work.storage.delete(&key(part.fichier)).await?;
            return Ok(None);
        }
        tx.commit().await?;
    }
}

fn key(fichier: Uuid) -> String {
    rapports::key(fichier, FormatRapport::Csv)
}

/// Writes the next rows, at most a part.
async fn write_part(
    work: &Work,
    wanted: &Wanted,
    liste: &Liste,
    lecture: &mut Lecture<'_>,
    reprise: &Reprise,
) -> Result<Option<Made>> {
    let fichier = Uuid::now_v7();
    let mut file = work.storage.writer(&key(fichier))?;
    let mut taille = 0;
    if reprise.parts.is_empty() {
        taille += add(&mut file, head(liste.colonnes(), wanted.langue)?).await?;
    }
    loop {
        match lecture.next().await? {
            Suite::Lignes(lignes) => {
                taille += add(&mut file, rows(&lignes, wanted.langue)?).await?;
            }
            Suite::Fin => break,
            Suite::Arret => {
                file.abort().await;
                return Ok(None);
            }
        }
        if lecture.lignes - reprise.lignes >= PART && lecture.apres.is_some() {
            break;
        }
    }
    file.finish().await?;
    Ok(Some(Made { fichier, taille, lignes: lecture.lignes }))
}

async fn add(file: &mut Writer, bytes: Vec<u8>) -> Result<u64> {
    let size = bytes.len() as u64;
    file.write(Bytes::from(bytes)).await?;
    Ok(size)
}

/// Makes one file of the parts.
async fn join(work: &Work, wanted: &Wanted, reprise: &Reprise) -> Result<Option<Made>> {
    let fichier = Uuid::now_v7();
    let mut file = work.storage.writer(&key(fichier))?;
    let mut taille = 0;
    for part in &reprise.parts {
        if !goes_on(work, wanted).await? {
            file.abort().await;
            return Ok(None);
        }
        let mut stream = match work.storage.open(&key(*part), None).await {
            Ok(found) => found.stream,
            Err(Error::NotFound(_)) => {
                file.abort().await;
                return begin_again(work, wanted).await;
            }
            Err(other) => return Err(other),
        };
        while let Some(bytes) = stream.try_next().await? {
            taille += bytes.len() as u64;
            file.write(bytes).await?;
        }
    }
    file.finish().await?;
    Ok(Some(Made { fichier, taille, lignes: reprise.lignes }))
}

/// A part is gone from storage: the next attempt begins at the first row. Not if the report was cancelled, which removes them.
async fn begin_again(work: &Work, wanted: &Wanted) -> Result<Option<Made>> {
    let mut tx = work.begin().await?;
    let is_wanted = generation::keep(&mut tx, &wanted.job, None).await?;
    tx.commit().await?;
    if is_wanted {
        return Err(anyhow::anyhow!("a part of the report is gone from storage").into());
    }
    Ok(None)
}

fn head(colonnes: &[Colonne], langue: Lang) -> Result<Vec<u8>> {
    let names = colonnes.iter().map(|colonne| langue.choose(colonne.fr, colonne.en).to_owned());
    let mut text = BOM.to_vec();
    text.extend(records([names.collect::<Vec<_>>()], langue)?);
    Ok(text)
}

fn rows(lignes: &[Vec<Cellule>], langue: Lang) -> Result<Vec<u8>> {
    records(
        lignes.iter().map(|ligne| ligne.iter().map(|cellule| text(cellule, langue)).collect()),
        langue,
    )
}

/// Records with the separator that spreadsheets of the language expect (RFC 4180 but for that).
fn records(records: impl IntoIterator<Item = Vec<String>>, langue: Lang) -> Result<Vec<u8>> {
    let mut writer = WriterBuilder::new()
        .delimiter(langue.choose(b';', b','))
        .terminator(Terminator::CRLF)
        // A text with a separator of another language is one cell there, too.
        .quote_style(QuoteStyle::NonNumeric)
        .from_writer(Vec::new());
    for record in records {
        writer.write_record(record).map_err(anyhow::Error::from)?;
    }
    let bytes = writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(bytes)
}

fn text(cellule: &Cellule, langue: Lang) -> String {
    match cellule {
        Cellule::Vide => String::new(),
        Cellule::Texte(text) => inert(text),
        Cellule::Entier(n) => n.to_string(),
        Cellule::Montant(centimes) => {
            let sign = if *centimes < 0 { "-" } else { "" };
            let (whole, rest) = (centimes.unsigned_abs() / 100, centimes.unsigned_abs() % 100);
            format!("{sign}{whole}{}{rest:02}", langue.choose(',', '.'))
        }
        Cellule::Instant(wall) => {
            wall.format(langue.choose("%d/%m/%Y %H:%M", "%Y-%m-%d %H:%M")).to_string()
        }
        Cellule::Booleen(true) => langue.choose("oui", "yes").to_owned(),
        Cellule::Booleen(false) => langue.choose("non", "no").to_owned(),
    }
}

/// A text that a spreadsheet takes for no formula: an apostrophe is put before the characters that begin one
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn inert(text: &str) -> String {
    if begins_a_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// Whether a spreadsheet could take `text` for a formula.
pub(super) fn begins_a_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_no_formulas_and_numbers_are_numbers() {
        let ligne = vec![
            Cellule::Texte("=HYPERLINK(\"http://exemple.ma\")".to_owned()),
            Cellule::Texte("Pompe « A » ; \"neuve\"\nà Safi".to_owned()),
            Cellule::Montant(-28_805),
            Cellule::Instant("2026-11-28T09:05:00".parse().unwrap()),
            Cellule::Booleen(true),
            Cellule::Entier(-3),
            Cellule::Vide,
        ];
        let lignes = [ligne];
        let fr = String::from_utf8(rows(&lignes, Lang::Fr).unwrap()).unwrap();
        let texts =
            "\"'=HYPERLINK(\"\"http://exemple.ma\"\")\";\"Pompe « A » ; \"\"neuve\"\"\nà Safi\"";
        assert_eq!(fr, format!("{texts};\"-288,05\";\"28/11/2026 09:05\";\"oui\";-3;\"\"\r\n"));
        let en = String::from_utf8(rows(&lignes, Lang::En).unwrap()).unwrap();
        assert!(en.ends_with(",-288.05,\"2026-11-28 09:05\",\"yes\",-3,\"\"\r\n"), "{en}");
        for text in ["+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert_eq!(inert(text), format!("'{text}"));
        }
        assert_eq!(inert("Fuite = eau"), "Fuite = eau");
    }
}
