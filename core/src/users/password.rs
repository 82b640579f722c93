//! Passwords: what is accepted, and how they are kept.
use serde_json::{Value, json};

use super::hasher;
use crate::{
    Result,
    input::{Field, NO_NUL, Wrong, text_of},
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

    fn schema() -> Value {
        json!({ "type": "string", "format": "password", "minLength": 8, "maxLength": 128, "pattern": NO_NUL })
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

/// The stored form of `password`.
pub async fn hash_password(password: Password) -> Result<PasswordHash> {
    hasher::hash(password.0).await.map(PasswordHash)
}

/// Whether `password` is the one behind `stored`. Without an account (`None`) it takes the same time and says no.
/// `Unavailable` when so many others wait that an answer would come too late.
pub async fn verify_password(password: Password, stored: Option<PasswordHash>) -> Result<bool> {
    hasher::verify(password.0, stored.map(|hash| hash.0)).await
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

    #[tokio::test]
    async fn a_hash_of_the_old_backend_with_other_parameters_is_understood() {
        // By argon2-cffi: `PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4).hash("pompe bleue")`.
        let old = "$argon2id$v=19$m=65536,t=3,p=4$3t+2537BK6X1IQU17l7ulA$c9VfxP99O1rkQnZwxP/23bEgHMNMBi+1bSprMdkNAlw";
        let old = PasswordHash(old.to_owned());
        assert!(verify_password(Password("pompe bleue".into()), Some(old.clone())).await.unwrap());
        assert!(!verify_password(Password("pompe verte".into()), Some(old)).await.unwrap());
    }
}
