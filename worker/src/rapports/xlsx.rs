//! XLSX. Rows go to a temporary file (`TMPDIR`), and the whole from there to storage: memory holds one lot of them.
use std::io;

use anyhow::Context as _;
use bytes::Bytes;
use erp_core::{
    Lang, Result, local,
    rapports::{
        self, FormatRapport,
        generation::{Made, Wanted},
        listes::{Cellule, Colonne, Liste},
    },
};
use rust_xlsxwriter::{DocProperties, Format, FormatBorder, Workbook, Worksheet, XlsxError};
use tokio::{sync::mpsc, task::spawn_blocking};
use uuid::Uuid;

use super::{
    csv::begins_a_formula,
    lecture::{Lecture, Suite, goes_on},
};
use crate::work::Work;

/// Rows of a sheet, without its header: those that the format has.
const MOST_ROWS: u32 = 1_048_575;
/// UTF-16 units of a cell: those that the format has.
const MOST_UNITS: usize = 32_767;
/// With more rows than this a sheet may have 4 GiB, and takes a ZIP that allows it.
const LARGE: u64 = 30_000;
/// Bytes that go to storage at once.
const PIECE: usize = 256 * 1024;

/// Writes the file; `None` if nobody waits for it any more. The format allows no going on: an attempt begins at the first row.
pub(super) async fn write(work: &Work, wanted: &Wanted, liste: &Liste) -> Result<Option<Made>> {
    let mut lecture = Lecture::begin(work, wanted, liste, (None, 0)).await?;
    let mut book = Book::new(liste.colonnes(), wanted)?;
    loop {
        match lecture.next().await? {
            Suite::Lignes(lignes) => {
                book = blocking(move || book.add(&lignes).map(|()| book)).await?;
            }
            Suite::Fin => break,
            Suite::Arret => return Ok(None),
        }
    }
    let lignes = lecture.lignes;
    let fichier = Uuid::now_v7();
    let mut file = work.storage.writer(&rapports::key(fichier, FormatRapport::Xlsx))?;
    let (pieces, mut written) = mpsc::channel(4);
    let saving = spawn_blocking(move || book.save(Pieces { pieces, buffer: Vec::new() }));
    let (mut taille, mut count) = (0, 0_u32);
    while let Some(piece) = written.recv().await {
        taille += piece.len() as u64;
        file.write(piece).await?;
        count += 1;
        if count.is_multiple_of(16) && !goes_on(work, wanted).await? {
            // What saves ends, too: nobody takes its pieces.
            drop(written);
            file.abort().await;
            return Ok(None);
        }
    }
    saving.await.context("the workbook was not saved")??;
    file.finish().await?;
    Ok(Some(Made { fichier, taille, lignes }))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, XlsxError> + Send + 'static,
) -> Result<T> {
    let done = spawn_blocking(work).await.context("the workbook could not be written")?;
    Ok(done.context("the workbook could not be written")?)
}

/// A workbook under way.
struct Book {
    workbook: Workbook,
    colonnes: &'static [Colonne],
    langue: Lang,
    /// The name of its sheets.
    feuille: &'static str,
    /// What the last sheet says of it.
    about: Vec<(&'static str, String)>,
    formats: Formats,
    sheets: usize,
    /// The last row written in the current sheet; 0 is its header.
    row: u32,
    lignes: u64,
}

struct Formats {
    entete: Format,
    texte: Format,
    /// Of a text that begins like a formula: Excel treats it as a text, also when somebody edits the cell.
    inerte: Format,
    entier: Format,
    montant: Format,
    instant: Format,
}

impl Formats {
    fn new(langue: Lang) -> Self {
        let new = Format::new;
        Self {
            entete: new().set_bold().set_border_bottom(FormatBorder::Thin).set_text_wrap(),
            texte: new(),
            inerte: new().set_quote_prefix(),
            entier: new().set_num_format("0"),
            montant: new().set_num_format("#,##0.00"),
            instant: new().set_num_format(langue.choose("dd/mm/yyyy hh:mm", "yyyy-mm-dd hh:mm")),
        }
    }
}

impl Book {
    fn new(colonnes: &'static [Colonne], wanted: &Wanted) -> Result<Self> {
        let langue = wanted.langue;
        let mut workbook = Workbook::new();
        // The time is that of the data, so that the same data give the same file.
        let properties = DocProperties::new()
            .set_title(&wanted.titre)
            .set_author("ERP MIF Maroc")
            .set_creation_datetime(&local::wall(wanted.debut_le));
        workbook.set_properties(&properties);
        let filtres = serde_json::to_string(&wanted.filtres).map_err(anyhow::Error::from)?;
        let made = local::wall(wanted.debut_le).format("%Y-%m-%d %H:%M").to_string();
        let about = vec![
            (langue.choose("Titre", "Title"), wanted.titre.clone()),
            (langue.choose("Données du (heure du Maroc)", "Data of (time of Morocco)"), made),
            (langue.choose("Filtres", "Filters"), filtres),
        ];
        let mut book = Self {
            workbook,
            colonnes,
            langue,
            feuille: wanted.type_.titre(langue),
            about,
            formats: Formats::new(langue),
            sheets: 0,
            row: 0,
            lignes: 0,
        };
        book.begin_sheet().context("the workbook could not be begun")?;
        Ok(book)
    }

    fn begin_sheet(&mut self) -> Result<(), XlsxError> {
        self.end_sheet()?;
        self.sheets += 1;
        self.row = 0;
        // A name of a sheet has 31 characters at most.
        let name: String = match self.sheets {
            1 => self.feuille.chars().take(31).collect(),
            n => format!("{:.26} ({n})", self.feuille),
        };
        let sheet = self.workbook.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?.set_freeze_panes(1, 0)?.set_repeat_rows(0, 0)?;
        sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
        for (col, colonne) in (0..).zip(self.colonnes) {
            let name = self.langue.choose(colonne.fr, colonne.en);
            sheet.set_column_width(col, colonne.largeur)?;
            sheet.write_string_with_format(0, col, name, &self.formats.entete)?;
        }
        Ok(())
    }

    fn end_sheet(&mut self) -> Result<(), XlsxError> {
        let Some(last) = self.sheets.checked_sub(1) else { return Ok(()) };
        let columns = u16::try_from(self.colonnes.len()).unwrap_or(u16::MAX);
        let sheet = self.workbook.worksheet_from_index(last)?;
        sheet.autofilter(0, 0, self.row, columns.saturating_sub(1))?;
        Ok(())
    }

    fn add(&mut self, lignes: &[Vec<Cellule>]) -> Result<(), XlsxError> {
        for ligne in lignes {
            if self.row == MOST_ROWS {
                self.begin_sheet()?;
            }
            self.row += 1;
            self.lignes += 1;
            let sheet = self.workbook.worksheet_from_index(self.sheets - 1)?;
            for (col, cellule) in (0..).zip(ligne) {
                self.formats.write(sheet, (self.row, col), cellule)?;
            }
        }
        Ok(())
    }

    fn save(mut self, mut pieces: Pieces) -> Result<()> {
        let saved = self.finish().and_then(|()| self.workbook.save_to_writer(&mut pieces));
        saved.context("the workbook could not be saved")?;
        Ok(pieces.pass_on().context("nobody takes the workbook")?)
    }

    /// The last sheet says what the others are.
    fn finish(&mut self) -> Result<(), XlsxError> {
        self.end_sheet()?;
        if self.lignes > LARGE {
            self.workbook.use_zip_large_file(true);
        }
        let rows = (self.langue.choose("Lignes", "Rows"), self.lignes.to_string());
        let sheet = self.workbook.add_worksheet();
        sheet.set_name(self.langue.choose("À propos", "About"))?;
        sheet.set_column_width(0, 30)?.set_column_width(1, 80)?;
        for (row, (name, text)) in (0..).zip(self.about.iter().chain([&rows])) {
            sheet.write_string_with_format(row, 0, *name, &self.formats.entete)?;
            let text = Cellule::Texte(text.clone());
            self.formats.write(sheet, (row, 1), &text)?;
        }
        Ok(())
    }
}

impl Formats {
    fn write(
        &self,
        sheet: &mut Worksheet,
        (row, col): (u32, u16),
        cellule: &Cellule,
    ) -> Result<(), XlsxError> {
        match cellule {
            Cellule::Vide => return Ok(()),
            Cellule::Texte(text) => {
                let format = if begins_a_formula(text) { &self.inerte } else { &self.texte };
                sheet.write_string_with_format(row, col, shortened(text), format)?;
            }
            #[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
            Cellule::Entier(n) => {
                sheet.write_number_with_format(row, col, *n as f64, &self.entier)?;
            }
            #[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
            Cellule::Montant(centimes) => {
                let mad = *centimes as f64 / 100.0;
                sheet.write_number_with_format(row, col, mad, &self.montant)?;
            }
            Cellule::Instant(wall) => {
                let written = sheet.write_datetime_with_format(row, col, wall, &self.instant);
                // The format knows no time before 1900 and after 9999.
                if written.is_err() {
                    sheet.write_string(row, col, wall.to_string())?;
                }
            }
            Cellule::Booleen(yes) => {
                sheet.write_boolean(row, col, *yes)?;
            }
        }
        Ok(())
    }
}

/// `text`, cut where the format allows no more.
fn shortened(text: &str) -> String {
    let mut units = 0;
    let long = text.char_indices().find(|(_, c)| {
        units += c.len_utf16();
        units > MOST_UNITS
    });
    if long.is_none() {
        return text.to_owned();
    }
    let mut kept = 1;
    let whole = text.chars().take_while(|c| {
        kept += c.len_utf16();
        kept <= MOST_UNITS
    });
    whole.chain(['…']).collect()
}

/// Passes what is written on, in pieces, to whoever stores it; an error if nobody does any more.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
}

impl Pieces {
    fn pass_on(&mut self) -> io::Result<()> {
        let piece = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = self.pieces.blocking_send(piece);
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("court"), "court");
        let exactly = "a".repeat(MOST_UNITS);
        assert_eq!(shortened(&exactly), exactly);
        let long = "🙂".repeat(MOST_UNITS);
        let cut = shortened(&long);
        assert!(cut.ends_with("🙂…") && cut.encode_utf16().count() <= MOST_UNITS);
        assert!(cut.encode_utf16().count() > MOST_UNITS - 3);
    }
}
