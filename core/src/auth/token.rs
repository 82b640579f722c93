//! Access tokens: signed JWTs that name the account and its role.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Keys;
use crate::{
    Error, Result, Text,
    users::{Account, UserRole},
};

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claims {
    /// The e-mail address.
    pub sub: String,
    pub user_id: i64,
    pub role: UserRole,
    /// Seconds since 1970.
    pub iat: i64,
    pub exp: i64,
    pub jti: Uuid,
    /// `users.token_version` when it was made: a new password raises that, and this token is worthless.
    #[serde(default)]
    pub ver: i32,
}

impl Keys {
    pub(super) fn access_token(&self, account: &Account, now: DateTime<Utc>) -> Result<String> {
        let claims = Claims {
            sub: account.email.clone(),
            user_id: account.id,
            role: account.role,
            iat: now.timestamp(),
            exp: (now + self.access_lifetime()).timestamp(),
            jti: Uuid::new_v4(),
            ver: account.token_version,
        };
        self.sign(&claims)
    }

    /// The claims of `token`, if it is ours and has not expired.
    pub(super) fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let claims: Claims = self.read(token)?;
        if claims.exp <= now.timestamp() { Err(expired()) } else { Ok(claims) }
    }
}

/// What the link in a digest says. It has none of the claims of an access token, nor an access token its `sub`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unsubscribe {
    sub: String,
    user_id: i64,
    exp: i64,
}

const UNSUBSCRIBE: &str = "desabonnement";

/// A token that ends the digests of a user, and does nothing else. It is good for a year: mails are kept.
///
/// Its key must live as long: after a rotation it is good while the previous key is still there, and a second rotation within
/// the year ends it. Whoever follows a dead link is asked to sign in, where the digest is turned off as well.
pub fn unsubscribe_token(keys: &Keys, user_id: i64, now: DateTime<Utc>) -> Result<String> {
    let exp = (now + TimeDelta::days(365)).timestamp();
    keys.sign(&Unsubscribe { sub: UNSUBSCRIBE.to_owned(), user_id, exp })
}

/// Whose digests `token` ends.
pub fn unsubscribed_user(keys: &Keys, token: &str, now: DateTime<Utc>) -> Result<i64> {
    let said: Unsubscribe = keys.read(token)?;
    if said.sub != UNSUBSCRIBE {
        return Err(invalid());
    }
    if said.exp <= now.timestamp() { Err(expired()) } else { Ok(said.user_id) }
}

pub(super) fn invalid() -> Error {
    Error::Unauthenticated {
        code: "jeton_invalide",
        text: Text::new(
            "Jeton d'accès invalide : reconnectez-vous.",
            "Invalid access token: sign in again.",
        ),
    }
}

fn expired() -> Error {
    Error::Unauthenticated {
        code: "jeton_expire",
        text: Text::new(
            "Votre session a expiré : reconnectez-vous.",
            "Your session has expired: sign in again.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AuthConfig, JwtAlgorithm, Secret};

    fn config(algorithm: JwtAlgorithm) -> AuthConfig {
        AuthConfig {
            secret_key: Secret::new("f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
            previous_secret_key: None,
            algorithm,
            private_key_file: None,
            previous_key_file: None,
            access_token_minutes: 60,
            refresh_token_days: 30,
        }
    }

    fn account() -> Account {
        Account {
            id: 7,
            email: "a@b.ma".into(),
            role: UserRole::Technicien,
            client_id: None,
            is_active: true,
            token_version: 3,
            password_hash: crate::users::PasswordHash::default(),
        }
    }

    #[test]
    fn a_token_lives_exactly_as_long_as_it_says() {
        let keys = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let token = keys.access_token(&account(), now).unwrap();
        let claims = keys.verify(&token, now + TimeDelta::seconds(3599)).unwrap();
        assert_eq!((claims.user_id, claims.ver, claims.role), (7, 3, UserRole::Technicien));
        assert!(keys.verify(&token, now + TimeDelta::seconds(3600)).is_err());
    }

    #[test]
    fn the_link_of_a_digest_is_no_access_token_and_an_access_token_no_such_link() {
        let keys = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let link = unsubscribe_token(&keys, 7, now).unwrap();
        assert_eq!(unsubscribed_user(&keys, &link, now + TimeDelta::days(364)).unwrap(), 7);
        assert!(unsubscribed_user(&keys, &link, now + TimeDelta::days(365)).is_err());
        assert!(keys.verify(&link, now).is_err());
        assert!(
            unsubscribed_user(&keys, &keys.access_token(&account(), now).unwrap(), now).is_err()
        );
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_refused() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ours = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let mut other = config(JwtAlgorithm::Hs256);
        other.secret_key = Secret::new("another key of thirty-two letters");
        let token = Keys::new(&other).unwrap().access_token(&account(), now).unwrap();
        assert!(ours.verify(&token, now).is_err());

        // `alg: none`, the oldest trick: {"alg":"none"} . claims . nothing
        let good = ours.access_token(&account(), now).unwrap();
        let claims = good.split('.').nth(1).unwrap();
        assert!(ours.verify(&format!("eyJhbGciOiJub25lIn0.{claims}."), now).is_err());
    }
}
