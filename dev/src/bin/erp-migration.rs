//! `cargo migration "texte"`: creates the two files of a migration, with a stamp that comes after all others. They are
//! filled by hand: sqlx runs SQL, and a generator cannot know what a change does to existing rows, or which locks it takes.
use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::SystemTime,
};

use chrono::{DateTime, Utc};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = slug::slugify(words.join(" ")).replace('-', "_");
    if name.is_empty() || words.iter().any(|word| word.starts_with('-')) {
        eprintln!("usage : cargo migration \"ce que la migration fait\"");
        return ExitCode::from(2);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
    match create(&folder, &name) {
        Ok(made) => {
            for path in made {
                let name = path.file_name().unwrap_or_default();
                println!("migrations/{}", name.display());
            }
            println!("Écrivez-y le SQL, puis : cargo queries");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{} : {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

/// Creates `<stamp>_<name>.up.sql` and `.down.sql` in `folder`. The stamp is the time (UTC), or one more than the last one
/// there if that is later.
fn create(folder: &Path, name: &str) -> io::Result<[PathBuf; 2]> {
    let mut last = 0;
    for file in fs::read_dir(folder)? {
        let file = file?.file_name();
        let stamp = file.to_str().and_then(|file| file.split('_').next()?.parse().ok());
        last = last.max(stamp.unwrap_or(0));
    }
    let now = DateTime::<Utc>::from(SystemTime::now())
        .format("%Y%m%d%H%M%S")
        .to_string()
        .parse()
        .unwrap_or(0);
    let stamp: i64 = now.max(last + 1);
    let text = name.replace('_', " ");
    let made = [("up", text.clone()), ("down", format!("défait : {text}"))].map(|(way, text)| {
        (folder.join(format!("{stamp}_{name}.{way}.sql")), format!("-- {text}\n"))
    });
    for (path, text) in &made {
        fs::File::create_new(path)
            .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))?;
    }
    Ok(made.map(|(path, _)| path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_comes_after_all_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let made = create(folder.path(), "premiere").unwrap();
        assert!(made.iter().all(|path| path.is_file()), "{made:?}");
        fs::write(folder.path().join("29990101000000_lointaine.up.sql"), "").unwrap();
        let made = create(folder.path(), "suivante").unwrap();
        let names = made.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        assert_eq!(names, ["29990101000001_suivante.up.sql", "29990101000001_suivante.down.sql"]);
    }

    #[test]
    fn a_sentence_becomes_a_name() {
        assert_eq!(
            slug::slugify("Équipements : ajoute l’étage").replace('-', "_"),
            "equipements_ajoute_l_etage"
        );
    }
}
