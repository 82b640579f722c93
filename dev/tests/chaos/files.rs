//! Compares the accepted photos with the rows and the files.
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::{self, File},
    path::Path,
    time::{Duration, SystemTime},
};

use super::{client::Accepted, stage::Stage};

/// Files of this age are purged; the purge skips recent files, whose upload may be under way.
const TWO_DAYS: Duration = Duration::from_hours(48);

/// Prints what became of the photos, and returns the number of errors.
///
/// Each photo has an original, a preview and a thumbnail. The only other files allowed are originals of refused uploads whose
/// commit was uncertain: the purge removes them.
pub async fn judge_files(stage: &Stage, accepted: &Accepted) -> usize {
    let documents = sqlx::query!("select id, status, fichier from documents")
        .fetch_all(&stage.system.ctx.pool)
        .await
        .unwrap();
    let ready: HashMap<i64, String> = documents
        .iter()
        .filter(|row| row.status == "ready")
        .map(|row| (row.id, row.fichier.to_string()))
        .collect();
    let lost = accepted.photos.iter().filter(|id| !ready.contains_key(id)).count();
    let undead = accepted.deleted.iter().filter(|id| ready.contains_key(id)).count();
    let stuck = documents.len() - ready.len();

    let expected: BTreeSet<_> = ready.values().flat_map(|stem| files_of(stem)).collect();
    let found = files(stage.files());
    let missing: Vec<_> = expected.difference(&found).collect();
    let strays: Vec<_> = found.difference(&expected).cloned().collect();
    let (unknown, left): (Vec<_>, Vec<_>) =
        strays.iter().partition(|name| is_original_of_none(name, &accepted.stems));
    let unknown_too_many = unknown.len().saturating_sub(accepted.refused_photos);
    println!(
        "photos     {} accepted, {} of them removed, {} ready, {} files; {lost} lost, {undead} back from removal, \
         {stuck} not ready; missing {missing:?}, left of removed photos {left:?}, {} for the purge",
        accepted.photos.len() + accepted.deleted.len(),
        accepted.deleted.len(),
        ready.len(),
        found.len(),
        unknown.len(),
    );
    let wrong = lost + undead + stuck + missing.len() + left.len() + unknown_too_many;

    age(stage.files());
    stage.purge().await;
    let remain = files(stage.files());
    let not_purged: Vec<_> = remain.symmetric_difference(&expected).collect();
    println!("purge      {} files, {not_purged:?} wrong", remain.len());
    wrong + if missing.is_empty() { not_purged.len() } else { 0 }
}

fn files_of(stem: &str) -> [String; 3] {
    [".jpg", "_preview.webp", "_thumbnail.webp"].map(|rest| format!("{stem}{rest}"))
}

/// Whether a file is an original, but not of an accepted photo.
fn is_original_of_none(name: &str, stems: &HashSet<String>) -> bool {
    name.strip_suffix(".jpg").is_some_and(|stem| !stems.contains(stem))
}

fn files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.') && name != "lost+found").collect()
}

/// Makes all files two days older.
fn age(folder: &Path) {
    let then = SystemTime::now() - TWO_DAYS;
    for name in files(folder) {
        File::options().write(true).open(folder.join(name)).unwrap().set_modified(then).unwrap();
    }
}
