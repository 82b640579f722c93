//! Access tokens: signed JWTs that name the account and its role; and the tokens of the links in digests.
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Code, Error, Result, Text,
    keys::{Keys, Kind, invalid},
    users::{Account, UserRole},
};

/// The claims of an access token.
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
    /// The session of the token: once it has ended, the token is refused.
    pub sid: Uuid,
    /// `users.token_version` when it was made: programs of the previous version compare it, while they run beside this one.
    #[serde(default)]
    pub ver: i32,
}

impl Keys {
    pub(super) fn access_token(
        &self,
        account: &Account,
        sid: Uuid,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<String> {
        let claims = Claims {
            sub: account.email.clone(),
            user_id: account.id,
            role: account.role,
            iat: now.timestamp(),
            exp: until.timestamp(),
            jti: Uuid::new_v4(),
            sid,
            ver: account.token_version,
        };
        self.sign(Kind::Access, &claims)
    }

    /// The claims of `token`, if one of our keys has signed it, it is an access token, and it has not expired.
    #[doc(hidden)]
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let claims: Claims = self.read(Kind::Access, token)?;
        if claims.exp <= now.timestamp() { Err(expired()) } else { Ok(claims) }
    }
}

/// The claims of the link in a digest.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unsubscribe {
    sub: String,
    user_id: i64,
    exp: i64,
}

const UNSUBSCRIBE: &str = "desabonnement";

/// A token that ends the digests of a user, and does nothing else. It is valid for a year, because mails are kept.
///
/// Its key must be kept as long: after one rotation it is valid while the previous key is configured, and a second rotation
/// within the year ends it. A link that is no longer valid asks the user to sign in, where the digest can be turned off as
/// well.
pub fn unsubscribe_token(keys: &Keys, user_id: i64, now: DateTime<Utc>) -> Result<String> {
    let exp = (now + TimeDelta::days(365)).timestamp();
    keys.sign(Kind::Unsubscribe, &Unsubscribe { sub: UNSUBSCRIBE.to_owned(), user_id, exp })
}

/// The user whose digests `token` ends.
pub fn unsubscribed_user(keys: &Keys, token: &str, now: DateTime<Utc>) -> Result<i64> {
    let said: Unsubscribe = keys.read(Kind::Unsubscribe, token)?;
    if said.sub != UNSUBSCRIBE {
        return Err(invalid());
    }
    if said.exp <= now.timestamp() { Err(expired()) } else { Ok(said.user_id) }
}

fn expired() -> Error {
    Error::Unauthenticated {
        code: Code::JetonExpire,
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
            session_days: 90,
            audit_days: 730,
            require_2fa: Vec::new(),
        }
    }

    fn account() -> Account {
        Account {
            id: 7,
            email: "a@b.ma".into(),
            role: UserRole::Technicien,
            client_id: None,
            is_active: true,
            client_actif: true,
            token_version: 3,
            password_hash: crate::users::PasswordHash::none(),
            second_facteur: None,
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn token(keys: &Keys) -> String {
        keys.access_token(&account(), Uuid::from_u128(5), now(), now() + TimeDelta::hours(1))
            .unwrap()
    }

    #[test]
    fn a_token_lives_exactly_as_long_as_it_says() {
        let keys = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let token = token(&keys);
        let claims = keys.verify(&token, now() + TimeDelta::seconds(3599)).unwrap();
        assert_eq!((claims.user_id, claims.ver, claims.role), (7, 3, UserRole::Technicien));
        assert_eq!(claims.sid, Uuid::from_u128(5));
        assert!(keys.verify(&token, now() + TimeDelta::seconds(3600)).is_err());
    }

    #[test]
    fn one_kind_of_token_never_passes_for_another() {
        let keys = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let link = unsubscribe_token(&keys, 7, now()).unwrap();
        assert_eq!(unsubscribed_user(&keys, &link, now() + TimeDelta::days(364)).unwrap(), 7);
        assert!(unsubscribed_user(&keys, &link, now() + TimeDelta::days(365)).is_err());
        assert!(keys.verify(&link, now()).is_err());
        assert!(unsubscribed_user(&keys, &token(&keys), now()).is_err());

        // The right claims under the other `typ` are refused, too.
        let claims: Claims = keys.read(Kind::Access, &token(&keys)).unwrap();
        let disguised = keys.sign(Kind::Unsubscribe, &claims).unwrap();
        assert!(keys.verify(&disguised, now()).is_err());
        assert!(unsubscribed_user(&keys, &disguised, now()).is_err());
        let said = Unsubscribe { sub: UNSUBSCRIBE.into(), user_id: 7, exp: now().timestamp() + 60 };
        let disguised = keys.sign(Kind::Access, &said).unwrap();
        assert!(unsubscribed_user(&keys, &disguised, now()).is_err());
        assert!(keys.verify(&disguised, now()).is_err());
    }

    #[test]
    fn of_the_tokens_of_versions_before_only_the_links_in_mails_are_good() {
        let keys = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let old = |claims: serde_json::Value| {
            let key = jsonwebtoken::EncodingKey::from_secret(b"f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6");
            jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap()
        };
        let exp = now().timestamp() + 60;
        let link = old(serde_json::json!({"sub": UNSUBSCRIBE, "user_id": 7, "exp": exp}));
        assert_eq!(unsubscribed_user(&keys, &link, now()).unwrap(), 7);
        let access = serde_json::json!({
            "sub": "a@b.ma", "user_id": 7, "role": "admin", "iat": 0, "exp": exp, "jti": Uuid::nil(), "sid": Uuid::nil(),
        });
        assert!(keys.verify(&old(access), now()).is_err());
    }

    #[test]
    fn a_token_of_another_key_or_algorithm_is_refused() {
        let ours = Keys::new(&config(JwtAlgorithm::Hs256)).unwrap();
        let mut other = config(JwtAlgorithm::Hs256);
        other.secret_key = Secret::new("another key of thirty-two letters");
        assert!(ours.verify(&token(&Keys::new(&other).unwrap()), now()).is_err());

        // A token without a signature: {"alg":"none"} . claims . nothing
        let good = token(&ours);
        let claims = good.split('.').nth(1).unwrap();
        assert!(ours.verify(&format!("eyJhbGciOiJub25lIn0.{claims}."), now()).is_err());
    }
}
