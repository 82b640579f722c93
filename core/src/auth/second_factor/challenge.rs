//! Challenges: what a right password gives who has a second factor.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Code, Error, Result, Text,
    keys::{Keys, Kind},
    users::Account,
};

/// How long a code may be named for it.
const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// A signed text that says whose password was right, and opens nothing without a code. Never shown in a log.
#[derive(Clone)]
pub struct Challenge(String);

impl std::fmt::Debug for Challenge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Challenge(***)")
    }
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Claims {
    sub: String,
    pub user_id: i64,
    /// `users.token_version`: a change of password ends the challenge.
    pub ver: i32,
    /// By which wrong codes are counted.
    pub jti: Uuid,
    exp: i64,
}

const SUB: &str = "second_facteur";

impl Challenge {
    /// The challenge for the owner of `account`, whose password was right at `now`.
    pub(in crate::auth) fn new(keys: &Keys, account: &Account, now: DateTime<Utc>) -> Result<Self> {
        let claims = Claims {
            sub: SUB.to_owned(),
            user_id: account.id,
            ver: account.token_version,
            jti: Uuid::new_v4(),
            exp: (now + LIFETIME).timestamp(),
        };
        keys.sign(Kind::Challenge, &claims).map(Self)
    }

    /// The text for the client.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

/// The claims of a challenge that may still be met at `now`.
pub(super) fn read(keys: &Keys, text: &str, now: DateTime<Utc>) -> Result<Claims> {
    let claims: Claims = keys.read(Kind::Challenge, text).map_err(|_| over())?;
    if claims.sub == SUB && claims.exp > now.timestamp() { Ok(claims) } else { Err(over()) }
}

/// The 401 of a challenge that is no longer good, or never was.
pub(super) fn over() -> Error {
    Error::Unauthenticated {
        code: Code::DefiInvalide,
        text: Text::new(
            "Cette connexion n'est plus valable, ou a attendu plus de cinq minutes : recommencez par le mot de passe.",
            "This sign-in is no longer valid, or has waited for more than five minutes: begin again with the password.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Env},
        users::{PasswordHash, UserRole},
    };

    #[test]
    fn a_challenge_lasts_five_minutes_and_is_no_other_token() {
        let pairs = [
            ("DATABASE_URL", "postgres://erp@localhost/erp"),
            ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
        ];
        let keys = Keys::new(&Config::read(Env::from_pairs(&pairs)).unwrap().auth).unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let account = Account {
            id: 7,
            email: "a@b.ma".into(),
            role: UserRole::Admin,
            client_id: None,
            is_active: true,
            client_actif: true,
            token_version: 3,
            password_hash: PasswordHash::none(),
            second_facteur: Some(now),
        };
        let challenge = Challenge::new(&keys, &account, now).unwrap();
        assert_eq!(format!("{challenge:?}"), "Challenge(***)");
        let text = challenge.into_text();
        let claims = read(&keys, &text, now + TimeDelta::seconds(299)).unwrap();
        assert_eq!((claims.user_id, claims.ver), (7, 3));
        assert!(read(&keys, &text, now + TimeDelta::seconds(300)).is_err());
        assert!(keys.verify(&text, now).is_err(), "it opens no route");
        let claims: Claims = keys.read(Kind::Challenge, &text).unwrap();
        for kind in [Kind::Access, Kind::Unsubscribe] {
            assert!(read(&keys, &keys.sign(kind, &claims).unwrap(), now).is_err(), "{kind:?}");
        }
    }
}
