//! Passwords: what is accepted, and how they are kept (Argon2id, parameters of the
//! [OWASP cheat sheet](https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html): 19 MiB, 2 passes, 1 lane).
use std::sync::LazyLock;

use argon2::{
    Algorithm, Argon2, Params, PasswordVerifier as _, Version,
    password_hash::{PasswordHasher as _, phc},
};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::{
    Error, Result,
    input::{Field, Wrong, text_of},
};

/// A password in clear: 8 to 128 characters. Never shown.
#[derive(Clone)]
pub struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Password {
    /// A password sent to sign in: any text, since only the right one matters.
    #[must_use]
    pub fn given(text: String) -> Self {
        Self(text)
    }

    /// Refuses what a guesser tries first: common passwords, patterns, and what is known of the owner.
    /// The estimate is [zxcvbn](https://github.com/dropbox/zxcvbn)'s; below 2 of 4 it falls to 10^6 guesses.
    pub fn check_guessable(&self, known: &[&str]) -> Result<(), Wrong> {
        let parts: Vec<&str> =
            known.iter().flat_map(|k| k.split(['@', '.', ' ', '-', '_']).chain([*k])).collect();
        let estimate = zxcvbn::zxcvbn(&self.0, &parts);
        if u8::from(estimate.score()) >= 2 {
            return Ok(());
        }
        Err(Wrong::new(
            "password_guessable",
            "Ce mot de passe est trop facile à deviner : choisissez plusieurs mots sans lien, ou une phrase.",
            "This password is too easy to guess: use several unrelated words, or a sentence",
        ))
    }
}

impl Field for Password {
    fn read(value: &Value) -> Result<Self, Wrong> {
        text_of(&String::read(value)?, 8, 128).map(Self)
    }
}

/// The stored form of a password (PHC string).
#[derive(Clone, Default, sqlx::Type)]
#[sqlx(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

static ARGON2: LazyLock<Argon2<'static>> = LazyLock::new(|| {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
});

/// Hashes that run at once: as many as there are cores. More would only take memory (19 MiB each) and make
/// everyone wait longer; the async threads never hash.
static HASHERS: LazyLock<Semaphore> = LazyLock::new(|| {
    Semaphore::new(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
});

async fn on_a_hasher<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let permit = HASHERS.acquire().await.map_err(anyhow::Error::from)?;
    let done = tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::from);
    drop(permit);
    Ok(done?)
}

/// The stored form of `password`.
pub async fn hash_password(password: Password) -> Result<PasswordHash> {
    let hash =
        on_a_hasher(move || ARGON2.hash_password(password.0.as_bytes()).map(|h| h.to_string()))
            .await?;
    hash.map(PasswordHash).map_err(|e| Error::Internal(anyhow::anyhow!("hashing a password: {e}")))
}

/// Whether `password` is the one behind `stored`. Without an account (`None`) it takes the same time and says no.
pub async fn verify_password(password: Password, stored: Option<PasswordHash>) -> Result<bool> {
    /// A hash with our parameters whose password nobody knows.
    static NOBODY: LazyLock<String> = LazyLock::new(|| {
        ARGON2
            .hash_password(uuid::Uuid::new_v4().as_bytes())
            .map(|h| h.to_string())
            .unwrap_or_default()
    });
    on_a_hasher(move || {
        let text = stored.as_ref().map_or(NOBODY.as_str(), |hash| &hash.0);
        let verified = phc::PasswordHash::new(text)
            .is_ok_and(|hash| ARGON2.verify_password(password.0.as_bytes(), &hash).is_ok());
        verified && stored.is_some()
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_patterned_and_personal_passwords_are_refused() {
        let known = ["ybennani", "Youssef Bennani", "y.bennani@mif.example"];
        for bad in ["password", "12345678", "azertyuiop", "aaaaaaaa", "ybennani", "Bennani1"] {
            let password = Password(bad.to_owned());
            assert!(password.check_guessable(&known).is_err(), "{bad}");
        }
        for good in ["pompe bleue du quai 4", "Xk9-vf2!Qp", "cheval-batterie-agrafe"] {
            let password = Password(good.to_owned());
            assert!(password.check_guessable(&known).is_ok(), "{good}");
        }
    }

    #[tokio::test]
    async fn a_hash_has_the_owasp_parameters_and_knows_its_password() {
        let hash = hash_password(Password("pompe bleue".into())).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert!(verify_password(Password("pompe bleue".into()), Some(hash.clone())).await.unwrap());
        assert!(!verify_password(Password("pompe verte".into()), Some(hash)).await.unwrap());
        assert!(!verify_password(Password("pompe bleue".into()), None).await.unwrap());
    }
}
