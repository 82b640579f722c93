//! Passwords: what is accepted, and how they are kept.
use serde_json::{Value, json};

use super::hasher::{self, Looked};
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

/// A password sent as a proof of identity: any text is read, since it only has to match. Never shown.
#[derive(Debug, Clone)]
pub struct GivenPassword(pub Password);

impl Field for GivenPassword {
    fn read(value: &Value) -> Result<Self, Wrong> {
        String::read(value).map(|text| Self(Password::given(text)))
    }

    fn schema() -> Value {
        String::schema()
    }
}

impl From<GivenPassword> for Password {
    fn from(given: GivenPassword) -> Self {
        given.0
    }
}

impl Password {
    /// A password that is not checked: made by this program, or a [`GivenPassword`].
    #[must_use]
    pub fn given(text: String) -> Self {
        Self(text)
    }

    /// Refuses what an attacker tries first: common passwords, patterns, and what is known of the owner, the company and the
    /// product. The estimate is [zxcvbn](https://github.com/dropbox/zxcvbn)'s; a score below 2 of 4 means that 10^6 guesses find
    /// the password. It takes processor time: [`super::check_new_password`] and bodies that are
    /// [`Input::HEAVY`](crate::input::Input::HEAVY) do this off the async threads.
    pub fn check_guessable(&self, known: &[&str]) -> Result<(), Wrong> {
        let parts: Vec<&str> = known
            .iter()
            .flat_map(|k| k.split(['@', '.', ' ', '-', '_']).chain([*k]))
            .chain(COMPANY.iter().copied())
            .filter(|part| !part.is_empty())
            .collect();
        // Only the beginning is scored, which suffices: the estimate's time grows far faster than the text.
        let end = self.0.char_indices().nth(SCORED).map_or(self.0.len(), |(at, _)| at);
        let estimate = zxcvbn::zxcvbn(&self.0[..end], &parts);
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

/// Characters of a password that are scored.
const SCORED: usize = 64;

/// Words that everyone who works here would try.
const COMPANY: &[&str] = &[
    "MIF",
    "Maroc",
    "MIF Maroc",
    "mifmaroc",
    "mif-maroc",
    "ERP",
    "ERP MIF",
    "ERP MIF Maroc",
    "erpmif",
    "GMAO",
    "maintenance",
    "intervention",
    "interventions",
    "equipement",
    "equipements",
    "technicien",
    "techniciens",
    "responsable",
    "planning",
    "Casablanca",
];

impl Field for Password {
    fn read(value: &Value) -> Result<Self, Wrong> {
        text_of(&String::read(value)?, 8, 128).map(Self)
    }

    fn schema() -> Value {
        json!({ "type": "string", "format": "password", "minLength": 8, "maxLength": 128, "pattern": NO_NUL })
    }
}

/// The stored form of a password (PHC string).
#[derive(Clone, sqlx::Type)]
#[sqlx(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// That of an account without a password: no password is its own.
    #[must_use]
    pub fn none() -> Self {
        Self(String::new())
    }

    /// Whether the account has no password.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

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

/// The result of [`verify_password`].
#[derive(Debug)]
pub enum Verified {
    Wrong,
    Right {
        /// The same password hashed anew, if the stored hash has other parameters than ours.
        renewed: Option<PasswordHash>,
    },
}

/// Whether `password` is the one of `stored`; without one, no password is right. Takes the same time for every account if
/// `others` are [`super::other_hashes`]. `Unavailable` if so many calls wait that an answer would come too late.
pub async fn verify_password(
    password: Password,
    stored: Option<PasswordHash>,
    others: Vec<String>,
) -> Result<Verified> {
    Ok(match hasher::verify(password.0, stored.map(|hash| hash.0), others).await? {
        Looked::Wrong => Verified::Wrong,
        Looked::Right(renewed) => Verified::Right { renewed: renewed.map(PasswordHash) },
    })
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

    #[test]
    fn what_the_company_is_called_is_no_password() {
        for bad in ["mif-maroc", "ERP MIF Maroc", "mifmaroc2026", "Maintenance", "technicien"] {
            assert!(Password(bad.to_owned()).check_guessable(&[]).is_err(), "{bad}");
        }
    }

    /// The estimate tries all readings of leet: what comes after the 64th character is not scored.
    #[test]
    fn a_long_password_is_scored_by_its_first_64_characters() {
        let good = Password(format!("pompe bleue du quai 4 {}", "4@8({[<3690!1|705$+%2".repeat(6)));
        assert!(good.check_guessable(&[]).is_ok());
        let bad = Password(format!("{}pompe bleue du quai 4", "é".repeat(64)));
        assert!(bad.check_guessable(&[]).is_err());
    }

    fn is_right(verified: &Verified) -> bool {
        matches!(verified, Verified::Right { .. })
    }

    async fn verify(text: &str, stored: Option<&PasswordHash>) -> Verified {
        verify_password(Password(text.into()), stored.cloned(), Vec::new()).await.unwrap()
    }

    #[tokio::test]
    async fn a_hash_has_the_owasp_parameters_and_knows_its_password() {
        let hash = hash_password(Password("pompe bleue".into())).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let right = verify("pompe bleue", Some(&hash)).await;
        assert!(matches!(right, Verified::Right { renewed: None }), "{right:?}");
        assert!(!is_right(&verify("pompe verte", Some(&hash)).await));
        assert!(!is_right(&verify("pompe bleue", None).await));
    }

    #[tokio::test]
    async fn a_hash_of_the_old_backend_with_other_parameters_is_understood_and_made_anew() {
        // By argon2-cffi: `PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4).hash("pompe bleue")`.
        let old = "$argon2id$v=19$m=65536,t=3,p=4$3t+2537BK6X1IQU17l7ulA$c9VfxP99O1rkQnZwxP/23bEgHMNMBi+1bSprMdkNAlw";
        let old = PasswordHash(old.to_owned());
        assert!(!is_right(&verify("pompe verte", Some(&old)).await));
        let Verified::Right { renewed: Some(renewed) } = verify("pompe bleue", Some(&old)).await
        else {
            panic!("it is right, and old");
        };
        let right = verify("pompe bleue", Some(&renewed)).await;
        assert!(matches!(right, Verified::Right { renewed: None }), "{right:?}");
    }

    #[tokio::test]
    async fn what_is_no_hash_opens_nothing() {
        for text in ["", "pompe bleue", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=1"] {
            let stored = PasswordHash(text.to_owned());
            assert!(!is_right(&verify("pompe bleue", Some(&stored)).await), "{text}");
        }
    }
}
