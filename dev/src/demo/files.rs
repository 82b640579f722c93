//! The files that people have attached: photos of the work, and the papers of its end.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use erp_core::{
    Ctx, Tx,
    documents::{self, FileKind, NewDocument, kind::clean_name},
};
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{
    machines::MACHINES,
    story::{Dossier, Sample},
};
use crate::samples;

/// Photos that are being drawn on other threads.
pub(super) struct Photos(Vec<Option<JoinHandle<Vec<u8>>>>);

impl Photos {
    pub fn draw() -> Photos {
        let draw = |seed: u8| {
            tokio::task::spawn_blocking(move || match seed {
                // As from a phone held upright that recorded its position.
                0 => samples::jpeg_with_gps(900, 1200, 6),
                seed => samples::jpeg(800, 600, u64::from(seed)),
            })
        };
        Photos((0..6).map(|seed| Some(draw(seed))).collect())
    }

    async fn take(&mut self, index: usize) -> anyhow::Result<Vec<u8>> {
        let drawing = self.0.get_mut(index).and_then(Option::take);
        Ok(drawing.context("each photo is attached once")?.await?)
    }
}

/// What a file is about.
pub(super) struct Subject<'a> {
    /// The intervention.
    pub id: i64,
    pub dossier: &'a Dossier,
    /// The user who attaches it.
    pub by: i64,
    pub at: DateTime<Utc>,
}

/// Stores a file and records it, as an upload does. If the transaction does not commit, the purge finds a file without a
/// row, or the next attempt writes the same file again.
pub(super) async fn attach(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    file: Sample,
    subject: &Subject<'_>,
    photos: &mut Photos,
) -> anyhow::Result<()> {
    let (name, bytes) = match file {
        Sample::Photo(index) => {
            (subject.at.format("IMG_%Y%m%d_%H%M%S.jpg").to_string(), photos.take(index).await?)
        }
        Sample::Rapport => (named("Rapport d'intervention", subject, "pdf"), rapport(subject)),
        Sample::Bon => (named("Bon d'intervention", subject, "pdf"), bon(subject)),
        Sample::Releve => (named("Relevé de mesures", subject, "xlsx"), releve(subject)),
        Sample::Pieces => (named("Pièces et main-d'œuvre", subject, "xlsx"), pieces(subject)),
    };
    let kind = FileKind::identify(&name, &bytes)
        .map_err(|refusal| anyhow::anyhow!("{name}: {}", refusal.french()))?;
    // A name of its own, and the same at the next attempt.
    let unique = format!("erp-demo/{}/{}/{name}", subject.id, subject.at);
    let fichier = Uuid::new_v5(&Uuid::NAMESPACE_URL, unique.as_bytes());
    let sha256 = sqlx::query_scalar!(r#"select encode(sha256($1), 'hex') as "sha256!""#, &bytes)
        .fetch_one(&mut **tx)
        .await?;
    let new = NewDocument {
        fichier,
        kind,
        filename: clean_name(&name),
        intervention_id: subject.id,
        depose_par: subject.by,
        size_bytes: i64::try_from(bytes.len())?,
        sha256,
        description: None,
        lot_id: None,
    };
    ctx.storage.put(&format!("{fichier}.{}", kind.extension()), bytes.into()).await?;
    documents::receive(tx, &new, 0, subject.at).await?;
    Ok(())
}

fn named(what: &str, subject: &Subject<'_>, extension: &str) -> String {
    format!("{what} n° {}.{extension}", subject.id)
}

fn rapport(subject: &Subject<'_>) -> Vec<u8> {
    let mut lines = head("RAPPORT D'INTERVENTION", subject);
    lines.extend(["Demande".to_owned(), String::new()]);
    lines.extend(wrapped(subject.dossier.scenario.description));
    lines.extend([String::new(), "Travaux et constats".to_owned(), String::new()]);
    lines.extend(wrapped(subject.dossier.scenario.rapport));
    samples::pdf(2, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn bon(subject: &Subject<'_>) -> Vec<u8> {
    let mut lines = head("BON D'INTERVENTION", subject);
    lines.extend(wrapped(subject.dossier.scenario.rapport));
    for line in ["", "Le client : lu et approuvé", "", "Le technicien :"] {
        lines.push(line.to_owned());
    }
    samples::pdf(1, &lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn head(title: &str, subject: &Subject<'_>) -> Vec<String> {
    let machine = &MACHINES[subject.dossier.machine];
    vec![
        format!("MIF Maroc - {title} n° {}", subject.id),
        String::new(),
        format!("Objet : {}", subject.dossier.titre),
        format!("Équipement : {} ({} {})", machine.nom, machine.marque, machine.modele),
        format!("Numéro de série : {}", machine.serie),
        format!("Lieu : {}", machine.localisation),
        format!("Le {}", subject.at.format("%d/%m/%Y")),
        String::new(),
    ]
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.len() + word.len() < 80);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => {
                line.push(' ');
                line.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn releve(subject: &Subject<'_>) -> Vec<u8> {
    let machine = MACHINES[subject.dossier.machine].nom;
    samples::xlsx(&[
        vec!["Machine", machine, "", ""],
        vec!["Point de mesure", "Avant", "Après", "Unité"],
        vec!["Vibrations, palier côté commande", "4,6", "2,1", "mm/s"],
        vec!["Vibrations, palier opposé", "3,9", "1,8", "mm/s"],
        vec!["Température du palier", "71", "52", "°C"],
        vec!["Intensité, phase 1", "38,4", "36,9", "A"],
        vec!["Intensité, phase 2", "38,1", "37,0", "A"],
        vec!["Intensité, phase 3", "39,2", "37,1", "A"],
    ])
}

fn pieces(subject: &Subject<'_>) -> Vec<u8> {
    let scenario = subject.dossier.scenario;
    let (pieces, minutes) = (scenario.pieces.to_string(), scenario.minutes.to_string());
    let hours = (scenario.minutes * 190 / 60).to_string();
    samples::xlsx(&[
        vec!["Désignation", "Quantité", "Unité", "Montant (MAD)"],
        vec!["Pièces de rechange et consommables", "1", "lot", &pieces],
        vec!["Main-d'œuvre", &minutes, "min", &hours],
        vec!["Déplacement", "1", "forfait", "0"],
    ])
}
