//! Signed addresses of files, which open the files for a while without a token: an `<img>` sends none.
//!
//! A signature is an HMAC-SHA256 over the stored name and the expiry time.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::derived::DerivedKeys;
use crate::{Code, Error, Result, Text, config::AuthConfig};

/// The longest time for which a signed address is valid.
pub const LIFETIME: TimeDelta = TimeDelta::hours(1);
/// Expiry times are multiples of this: the address of a file stays the same for so long, and caches recognise it.
const ROUNDING_SECONDS: i64 = 600;
/// The fields of a document that are signed.
const SIGNED: [&str; 3] = ["url", "thumbnail_url", "preview_url"];

/// The keys of signed addresses.
#[derive(Debug)]
pub struct SignedUrls(DerivedKeys);

impl SignedUrls {
    pub fn new(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif files v1")?))
    }

    /// The query that opens the file `name`, `fin=…&signature=…`: for [`LIFETIME`] from `now`, less the rounding.
    #[must_use]
    pub fn sign(&self, name: &str, now: DateTime<Utc>) -> String {
        let now = now.timestamp();
        let fin = now - now.rem_euclid(ROUNDING_SECONDS) + LIFETIME.num_seconds();
        let signature = URL_SAFE_NO_PAD.encode(self.with_message(name, fin).sign());
        format!("fin={fin}&signature={signature}")
    }

    /// Removes the signatures from the JSON of a document: they open files, and must not be stored.
    pub fn unsign(document: &mut Value) {
        for field in SIGNED {
            if let Some(Value::String(url)) = document.get_mut(field) {
                url.truncate(url.find('?').unwrap_or(url.len()));
            }
        }
    }

    /// Signs the addresses again in a JSON that [`Self::unsign`] was applied to, as [`crate::documents::Document::shown`] does
    /// at `now`.
    pub fn sign_again(&self, document: &mut Value, now: DateTime<Utc>) {
        for field in SIGNED {
            if let Some(Value::String(url)) = document.get_mut(field)
                && let Some((_, name)) = url.rsplit_once('/')
            {
                *url = format!("{url}?{}", self.sign(name, now));
            }
        }
    }

    /// Checks the `query` that [`Self::sign`] made for the file `name`, and returns its expiry time; 401 when it is invalid or
    /// expired. It is accepted only exactly as it was made, so that this check and a cache that keys by its parts cannot
    /// disagree.
    pub fn check(&self, name: &str, query: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>> {
        let (fin, signature) = query
            .strip_prefix("fin=")
            .and_then(|rest| rest.split_once("&signature="))
            .ok_or_else(invalid)?;
        let seconds: i64 = fin.parse().map_err(|_| invalid())?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| invalid())?;
        if seconds.to_string() != fin || !self.with_message(name, seconds).have_signed(&signature) {
            return Err(invalid());
        }
        let fin = DateTime::from_timestamp(seconds, 0).ok_or_else(invalid)?;
        if fin <= now { Err(expired()) } else { Ok(fin) }
    }

    fn with_message(&self, name: &str, fin: i64) -> DerivedKeys {
        // A stored name contains no line feed.
        self.0.clone().and(format!("{name}\n{fin}"))
    }
}

fn invalid() -> Error {
    Error::Unauthenticated {
        code: Code::LienInvalide,
        text: Text::new(
            "Ce lien n'est pas valable : rouvrez le document dans l'application.",
            "This link is not valid: open the document again in the application.",
        ),
    }
}

fn expired() -> Error {
    Error::Unauthenticated {
        code: Code::LienExpire,
        text: Text::new(
            "Ce lien a expiré : rouvrez le document dans l'application.",
            "This link has expired: open the document again in the application.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use sha2::Sha256;

    use super::*;
    use crate::keys::derived::config;

    const NAME: &str = "0190a6f0-1111-4222-8333-444455556666.jpg";
    const KEY: &str = "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6";

    fn urls(key: &str, previous: Option<&str>) -> SignedUrls {
        SignedUrls::new(&config(key, previous)).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_opens_its_file_until_its_end_and_nothing_else() {
        let (urls, now) = (urls(KEY, None), at("2026-11-26T08:09:59Z"));
        let query = urls.sign(NAME, now);
        assert_eq!(urls.check(NAME, &query, now).unwrap(), at("2026-11-26T09:00:00Z"));
        assert_eq!(query, urls.sign(NAME, at("2026-11-26T08:00:00Z")), "ends are rounded");
        assert!(urls.check(NAME, &query, at("2026-11-26T08:59:59Z")).is_ok());
        let code = |name: &str, query: &str, now| match urls.check(name, query, now) {
            Err(Error::Unauthenticated { code, .. }) => code,
            other => panic!("{query}: {other:?}"),
        };
        assert_eq!(code(NAME, &query, at("2026-11-26T09:00:00Z")), Code::LienExpire);
        assert_eq!(code(&NAME.replace('0', "1"), &query, now), Code::LienInvalide);
        let fin = at("2026-11-26T09:00:00Z").timestamp();
        let later = query.replace(&fin.to_string(), &(fin + 600).to_string());
        let (head, signature) = query.split_once("signature=").unwrap();
        for altered in [
            later,
            query.replace("fin=", "fin=%30"),
            query.replace("fin=", "fin=0"),
            query.replace("fin=", "fin=+"),
            query.replace("fin=", "f%69n="),
            format!("{query}&x=1"),
            format!("{query}="),
            format!("x=1&{query}"),
            format!("{head}signature={}", &signature[..signature.len() - 2]),
            format!("{head}signature="),
            "signature=".to_owned(),
            String::new(),
        ] {
            assert_eq!(code(NAME, &altered, now), Code::LienInvalide, "{altered}");
        }
    }

    #[test]
    fn the_key_is_none_of_tokens_and_rotates_with_it() {
        let (old, now) = (urls(KEY, None), at("2026-11-26T08:00:00Z"));
        let query = old.sign(NAME, now);
        let (fin, signature) = query[4..].split_once("&signature=").unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
        let by_the_secret_itself = mac.chain_update(format!("{NAME}\n{fin}")).finalize();
        assert_ne!(signature, URL_SAFE_NO_PAD.encode(by_the_secret_itself.into_bytes()));
        let new_key = "another key of thirty-two letters";
        assert!(urls(new_key, Some(KEY)).check(NAME, &query, now).is_ok(), "rotated");
        assert!(urls(new_key, None).check(NAME, &query, now).is_err(), "rotated away");
        assert_ne!(urls(new_key, Some(KEY)).sign(NAME, now), query);
    }

    #[test]
    fn with_keys_in_files_they_are_what_rotates() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            Some(path)
        };
        let (one, two) = (write("one", "pem\none\n"), write("two", "pem\ntwo\n"));
        let with = |private_key_file: &Option<_>, previous_key_file: Option<_>| {
            let algorithm = crate::config::JwtAlgorithm::Rs256;
            let private_key_file = private_key_file.clone();
            let auth = config(KEY, None);
            let config = AuthConfig { algorithm, private_key_file, previous_key_file, ..auth };
            SignedUrls::new(&config).unwrap()
        };
        let now = at("2026-11-26T08:00:00Z");
        let query = with(&one, write("none", "\n")).sign(NAME, now);
        assert!(with(&two, one).check(NAME, &query, now).is_ok());
        assert!(with(&two, Some(folder.path().join("absent"))).check(NAME, &query, now).is_err());
        assert!(urls(KEY, None).check(NAME, &query, now).is_err());
    }
}
