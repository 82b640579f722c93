//! Replaces the key that signs tokens by a new one; the old key becomes the previous key.
//!
//! Between the two steps, and after an interruption, the files hold keys that accept each other's tokens.
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::from_pem;
use crate::{Config, config::JwtAlgorithm, secret};

/// The result of a rotation.
#[derive(Debug)]
pub enum Rotation {
    /// The files hold the new key and the one before it; programs that start from now on use them.
    Done { key: PathBuf, previous: PathBuf },
    /// Nothing was changed, since the two keys are not both in files: the lines to write into the settings instead.
    ByHand(Vec<String>),
}

/// Rotates the key that signs tokens. The new key is generated, or read from the file `new_key`, which RS256 requires.
pub fn rotate(config: &Config, new_key: Option<&Path>) -> anyhow::Result<Rotation> {
    let algorithm = config.auth.algorithm;
    let (key, previous) = match algorithm {
        JwtAlgorithm::Hs256 => {
            (config.sources.file_of("SECRET_KEY"), config.sources.file_of("SECRET_KEY_PREVIOUS"))
        }
        _ => (config.auth.private_key_file.as_deref(), config.auth.previous_key_file.as_deref()),
    };
    let (Some(key), Some(previous)) = (key, previous) else {
        return Ok(Rotation::ByHand(by_hand(algorithm, key)));
    };
    if key == previous {
        bail!("la clé et la précédente sont le même fichier, {} : il en faut deux", key.display());
    }
    let new = make(algorithm, new_key)?;
    let old = fs::read(key).with_context(|| key.display().to_string())?;
    // In this order: an interruption in between leaves the old key in both files, and nobody is logged out.
    replace(previous, &old, key)?;
    replace(key, new.as_bytes(), key)?;
    Ok(Rotation::Done { key: key.to_owned(), previous: previous.to_owned() })
}

fn by_hand(algorithm: JwtAlgorithm, key: Option<&Path>) -> Vec<String> {
    match (algorithm, key) {
        (JwtAlgorithm::Hs256, None) => vec![
            format!("SECRET_KEY={}", secret::draw()),
            "SECRET_KEY_PREVIOUS=<la valeur qu'a SECRET_KEY aujourd'hui>".to_owned(),
        ],
        (JwtAlgorithm::Hs256, Some(key)) => {
            vec![format!("SECRET_KEY_PREVIOUS_FILE={}_previous", key.display())]
        }
        (_, key) => {
            let key = key.unwrap_or_else(|| Path::new("/run/secrets/jwt.pem")).display();
            vec![format!("JWT_PREVIOUS_KEY_FILE={key}.previous")]
        }
    }
}

fn make(algorithm: JwtAlgorithm, given: Option<&Path>) -> anyhow::Result<String> {
    let Some(given) = given else {
        return match algorithm {
            JwtAlgorithm::Hs256 => Ok(format!("{}\n", secret::draw())),
            JwtAlgorithm::EdDsa => Ok(ed25519_pem(&rand::random())),
            JwtAlgorithm::Rs256 => Err(anyhow!(
                "une clé RSA se fait avec openssl : openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 \
                 -out nouvelle.pem, puis --new-key nouvelle.pem"
            )),
        };
    };
    let text = fs::read_to_string(given).with_context(|| given.display().to_string())?;
    match algorithm {
        JwtAlgorithm::Hs256 if text.trim().len() < 32 => {
            bail!("{} : une clé a 32 caractères au moins", given.display())
        }
        JwtAlgorithm::Hs256 => {}
        _ => drop(
            from_pem(algorithm, text.as_bytes()).with_context(|| given.display().to_string())?,
        ),
    }
    Ok(text)
}

/// The PEM of an Ed25519 key. In PKCS #8 ([RFC 8410](https://www.rfc-editor.org/rfc/rfc8410#section-10.3)) it is sixteen fixed
/// bytes and the seed.
fn ed25519_pem(seed: &[u8; 32]) -> String {
    const HEAD: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    let der = BASE64.encode([&HEAD[..], seed].concat());
    format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n")
}

/// Replaces the file at `path` in one step: readers see the old content or the new one, even after a loss of power. The new
/// file has the owner and group of the file at `like`, and others may read it only if they may read that one (0600 as a rule;
/// the files of Compose are open to the user in the container): programs can read it as they read the old one.
fn replace(path: &Path, content: &[u8], like: &Path) -> anyhow::Result<()> {
    let name = path.file_name().context("ce n'est pas le nom d'un fichier")?.to_string_lossy();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let temporary = folder.join(format!(".{name}.nouveau"));
    let write = || -> io::Result<()> {
        let mut file = new_file(&temporary)?;
        let written = (|| {
            file.write_all(content)?;
            belong_like(&file, &temporary, like)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(folder)?.sync_all()
        })();
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written
    };
    write().with_context(|| {
        format!(
            "{} ne peut pas être écrit (par {}) ; rien n'est perdu. Si ce fichier vient d'un gestionnaire de secrets, changez la \
             clé là, et mettez-y la valeur d'aujourd'hui comme clé précédente",
            path.display(),
            temporary.display()
        )
    })
}

/// Creates a file that only its owner may read and write. Fails when it exists: of two concurrent rotations one is refused.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn belong_like(file: &File, path: &Path, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
    let (ours, theirs) = (file.metadata()?, fs::metadata(like)?);
    if (ours.uid(), ours.gid()) != (theirs.uid(), theirs.gid()) {
        chown(path, Some(theirs.uid()), Some(theirs.gid()))?;
    }
    // Others may be allowed to read it, but never to write it.
    file.set_permissions(fs::Permissions::from_mode(0o600 | (theirs.mode() & 0o644)))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "on Unix it may fail")]
fn belong_like(_: &File, _: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::config::Env;
    use crate::{
        auth::{unsubscribe_token, unsubscribed_user},
        keys::Keys,
    };

    const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://erp@localhost/erp");
    const SECRET: &str = "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn kid(token: &str) -> Option<String> {
        jsonwebtoken::decode_header(token).unwrap().kid
    }

    fn read(pairs: &[(&str, &str)]) -> Config {
        Config::read(Env::from_pairs(&[&[DATABASE], pairs].concat())).unwrap()
    }

    /// Three keys one after the other: each knows the tokens of the one before, and of none that is older.
    fn rotates(pairs: &[(&str, &str)], key: &Path) {
        let start = || Keys::new(&read(pairs).auth).unwrap();
        let first = start();
        let of_first = unsubscribe_token(&first, 7, now()).unwrap();
        assert!(matches!(rotate(&read(pairs), None).unwrap(), Rotation::Done { .. }));
        let second = start();
        let of_second = unsubscribe_token(&second, 8, now()).unwrap();
        assert_ne!(kid(&of_first), kid(&of_second));
        assert_eq!(kid(&of_second), kid(&unsubscribe_token(&start(), 9, now()).unwrap()));
        let later = now() + TimeDelta::days(300);
        assert_eq!(unsubscribed_user(&second, &of_first, later).unwrap(), 7);
        assert!(unsubscribed_user(&first, &of_second, now()).is_err(), "it does not know that key");
        rotate(&read(pairs), None).unwrap();
        let third = start();
        assert_eq!(unsubscribed_user(&third, &of_second, now()).unwrap(), 8);
        assert!(unsubscribed_user(&third, &of_first, now()).is_err());
        let left = fs::read_dir(key.parent().unwrap()).unwrap().count();
        assert_eq!(left, 2, "no file is left over");
        #[cfg(unix)]
        for file in fs::read_dir(key.parent().unwrap()).unwrap() {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    /// A folder with a key that only its owner may read; the path of the key, and that of the previous one.
    fn folder(content: &str) -> (tempfile::TempDir, String, String) {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        new_file(&key).unwrap().write_all(content.as_bytes()).unwrap();
        let previous = folder.path().join("previous").display().to_string();
        (folder, key.display().to_string(), previous)
    }

    #[test]
    fn a_secret_in_a_file_is_rotated() {
        let (_folder, key, previous) = folder(SECRET);
        let pairs =
            [("SECRET_KEY_FILE", key.as_str()), ("SECRET_KEY_PREVIOUS_FILE", previous.as_str())];
        rotates(&pairs, Path::new(&key));
    }

    #[test]
    fn an_ed25519_key_is_rotated() {
        let (_folder, key, previous) = folder(&ed25519_pem(&[7; 32]));
        let pairs = [
            ("SECRET_KEY", SECRET),
            ("ALGORITHM", "EdDSA"),
            ("JWT_PRIVATE_KEY_FILE", &key),
            ("JWT_PREVIOUS_KEY_FILE", &previous),
        ];
        rotates(&pairs, Path::new(&key));
    }

    #[test]
    fn a_token_that_names_no_key_is_tried_with_both() {
        let keys = Keys::new(
            &read(&[
                ("SECRET_KEY", "another key of thirty-two letters"),
                ("SECRET_KEY_PREVIOUS", SECRET),
            ])
            .auth,
        )
        .unwrap();
        let exp = (now() + TimeDelta::days(1)).timestamp();
        let claims = serde_json::json!({ "sub": "desabonnement", "user_id": 7, "exp": exp });
        let signed = |secret: &str| {
            let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
            jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
        };
        for good in [SECRET, "another key of thirty-two letters"] {
            assert_eq!(unsubscribed_user(&keys, &signed(good), now()).unwrap(), 7);
        }
        assert!(
            unsubscribed_user(&keys, &signed("a third key of thirty-two letters"), now()).is_err()
        );
    }

    #[test]
    fn what_is_not_in_files_is_told_and_not_changed() {
        let Rotation::ByHand(lines) = rotate(&read(&[("SECRET_KEY", SECRET)]), None).unwrap()
        else {
            panic!("there is no file to rotate")
        };
        assert!(lines[0].starts_with("SECRET_KEY=") && lines[0].len() == 11 + 64, "{lines:?}");
        assert!(!lines.concat().contains(SECRET), "the old key is known to whom it concerns");
        let (_folder, key, _) = folder(SECRET);
        let pairs = [("SECRET_KEY_FILE", key.as_str())];
        let Rotation::ByHand(lines) = rotate(&read(&pairs), None).unwrap() else {
            panic!("there is no place for the previous key")
        };
        assert_eq!(lines, [format!("SECRET_KEY_PREVIOUS_FILE={key}_previous")]);
        assert_eq!(fs::read_to_string(&key).unwrap(), SECRET);
    }
}
