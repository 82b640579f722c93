//! Writes the ZIP of what is known about a person, in memory that does not grow with it.
use std::{
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Context as _;
use bytes::Bytes;
use erp_core::{
    Error, Lang, Result,
    jobs::Dependency,
    personal_data::{self, Made, Source, jobs::ExportPersonalData},
    storage::Writer,
    users,
};
use serde_json::Value;
use uuid::Uuid;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::work::Work;

/// An attempt writes a file of its own: one that was interrupted has left nothing, or a file that no row names and the purge removes.
pub(crate) async fn export(work: Work, job: ExportPersonalData) -> Result<()> {
    if !personal_data::is_wanted(&work.pool, job.user_id, job.id).await? {
        return Ok(());
    }
    let made = write(&work, job.user_id).await?;
    work.answered(Dependency::Storage);
    let mut tx = work.begin().await?;
    let is_wanted = personal_data::finish(&mut tx, job.id, &made, work.clock.now()).await?;
    if is_wanted {
        return tx.commit().await;
    }
    drop(tx);
    // Asked for again, or removed, while it was being written.
    work.storage.delete(&personal_data::key(made.fichier)).await
}

async fn write(work: &Work, user_id: i64) -> Result<Made> {
    let langue = users::find(&work.pool, user_id).await?.langue;
    let fichier = Uuid::now_v7();
    let mut archive = Archive::new(work.storage.writer(&personal_data::key(fichier))?);
    archive.begin("LISEZMOI.txt")?;
    archive.add(readme(langue).as_bytes())?;
    for source in Source::ALL {
        archive.begin(&format!("{}.json", source.about().0))?;
        let (mut after, mut is_first) = (Some(0), true);
        while let Some(from) = after {
            let batch = personal_data::batch(&work.pool, source, user_id, from).await?;
            for row in &batch.rows {
                archive.add(if is_first { b"[\n" } else { b",\n" })?;
                archive.add(&text(row)?)?;
                is_first = false;
            }
            archive.pass_on().await?;
            after = batch.next;
        }
        archive.add(if is_first { b"[]\n" } else { b"\n]\n" })?;
    }
    Ok(Made { user_id, fichier, taille: archive.finish().await? })
}

fn text(row: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(row).map_err(|error| Error::Internal(error.into()))
}

/// What is in which file, and what is not.
fn readme(langue: Lang) -> String {
    let mut text = langue
        .choose(
            "Ce que le système MIF Maroc sait de vous, un fichier JSON par sujet. Les dates sont en temps universel (UTC).\n\
             N’y sont pas : votre mot de passe et les autres secrets, gardés chiffrés ou sous forme d’empreinte ; le contenu des\n\
             fichiers que vous avez déposés, que l’application vous montre ; ce que d’autres ont écrit et où ils vous nomment ; des\n\
             compteurs de connexions refusées, gardés un jour, et les réponses aux requêtes répétées, gardées autant.\n\n",
            "What the system MIF Maroc knows about you, one JSON file for each subject. Times are UTC.\n\
             Not here: your password and other secrets, kept encrypted or as a hash; the content of the files that you uploaded,\n\
             which the application shows you; what others have written and where they name you; counts of refused sign-ins, kept for a\n\
             day, and the answers to repeated requests, kept as long.\n\n",
        )
        .to_owned();
    for source in Source::ALL {
        let (name, fr, en) = source.about();
        let (colon, what) = (langue.choose(" :", ":"), langue.choose(fr, en));
        text.extend([name, ".json", colon, " ", what, "\n"]);
    }
    langue.choose(text.replace(" :", "\u{a0}:").replace(" ;", "\u{a0};"), text.clone())
}

/// A ZIP that is passed on to storage piece by piece.
struct Archive {
    /// Some 9 KB: on the heap, not in every future that holds it.
    zip: Box<ZipWriter<zip::write::StreamWriter<Pieces>>>,
    pieces: Pieces,
    file: Writer,
    taille: u64,
}

impl Archive {
    fn new(file: Writer) -> Self {
        let pieces = Pieces::default();
        Self { zip: Box::new(ZipWriter::new_stream(pieces.clone())), pieces, file, taille: 0 }
    }

    fn begin(&mut self, name: &str) -> Result<()> {
        let done = self.zip.start_file(name, SimpleFileOptions::default());
        Ok(done.with_context(|| format!("cannot begin {name}"))?)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.zip.write_all(bytes).context("cannot add to the archive")?)
    }

    /// Passes on what is compressed so far.
    async fn pass_on(&mut self) -> Result<()> {
        let bytes = self.pieces.take();
        self.taille += bytes.len() as u64;
        self.file.write(bytes).await
    }

    /// Returns the size of the whole, in bytes.
    async fn finish(self) -> Result<u64> {
        let Self { zip, pieces, mut file, taille } = self;
        (*zip).finish().context("cannot end the archive")?;
        let rest = pieces.take();
        let taille = taille + rest.len() as u64;
        file.write(rest).await?;
        file.finish().await?;
        Ok(taille)
    }
}

/// What the archive has written, and is not passed on yet.
#[derive(Clone, Default)]
struct Pieces(Arc<Mutex<Vec<u8>>>);

impl Pieces {
    fn take(&self) -> Bytes {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *bytes).into()
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
