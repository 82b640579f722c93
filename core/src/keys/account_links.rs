//! The secrets in the links that are mailed to the owner of an account.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use uuid::Uuid;

use crate::{Result, config::AuthConfig};

/// The keys of those secrets: the one that makes them, and the one before it, which only checks.
///
/// A secret is the id of a link and its HMAC-SHA256. So no table of links holds secrets, and a mail that is composed twice has the
/// same link. The key is derived from the one that signs tokens, and rotates with it.
pub struct AccountLinks {
    signing: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for AccountLinks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountLinks").finish_non_exhaustive()
    }
}

impl AccountLinks {
    pub fn new(config: &AuthConfig) -> Result<Self> {
        let (signing, previous) = super::derived(config, b"erp-mif account links v1")?;
        Ok(Self { signing, previous })
    }

    /// The secret of link `id`: 64 characters that a URL may hold.
    #[must_use]
    pub fn secret(&self, id: Uuid) -> String {
        let mac = self.signing.clone().chain_update(id.as_bytes()).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([id.as_bytes().as_slice(), &mac].concat())
    }

    /// The id of the link whose secret this is; `None` if these keys have not made it.
    #[must_use]
    pub fn read(&self, secret: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
        let (id, mac) = bytes.split_first_chunk::<16>()?;
        let good = |key: &Hmac<Sha256>| key.clone().chain_update(id).verify_slice(mac).is_ok();
        let is_good = good(&self.signing) || self.previous.as_ref().is_some_and(good);
        is_good.then(|| Uuid::from_bytes(*id))
    }
}

#[cfg(test)]
mod tests {
    use hmac::KeyInit as _;

    use super::*;

    fn links(signing: &[u8], previous: Option<&[u8]>) -> AccountLinks {
        let key = |key| Hmac::new_from_slice(key).unwrap();
        AccountLinks { signing: key(signing), previous: previous.map(key) }
    }

    #[test]
    fn a_secret_is_good_until_the_second_rotation_and_only_as_it_was_made() {
        let id = Uuid::from_u128(7);
        let secret = links(b"one", None).secret(id);
        assert_eq!(secret.len(), 64);
        assert_eq!(links(b"one", None).read(&secret), Some(id));
        assert_eq!(links(b"two", Some(b"one")).read(&secret), Some(id));
        assert_eq!(links(b"three", Some(b"two")).read(&secret), None);
        for (at, c) in secret.char_indices() {
            let other = if c == 'A' { "B" } else { "A" };
            let mut altered = secret.clone();
            altered.replace_range(at..=at, other);
            assert_eq!(links(b"one", None).read(&altered), None, "{altered}");
        }
        for cut in ["", "A", &secret[..22], &secret[..63]] {
            assert_eq!(links(b"one", None).read(cut), None, "{cut}");
        }
    }
}
