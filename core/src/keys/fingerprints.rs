//! Fingerprints, by which two requests are compared.
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::{Result, config::AuthConfig};

/// The keys of fingerprints: the current one, and the one before it. A fingerprint is an HMAC-SHA256 and no plain hash, since a
/// request may hold a password, which a reader of the database could guess from a plain hash. The key is derived from the one
/// that signs tokens, and rotates with it.
pub struct Fingerprints {
    signing: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprints").finish_non_exhaustive()
    }
}

impl Fingerprints {
    pub fn new(config: &AuthConfig) -> Result<Self> {
        let (signing, previous) = super::derived(config, b"erp-mif idempotence v1")?;
        Ok(Self { signing, previous })
    }

    /// An empty fingerprint.
    #[must_use]
    pub fn begin(&self) -> Fingerprint {
        Fingerprint { signing: self.signing.clone(), previous: self.previous.clone() }
    }
}

/// The fingerprint of one request, built part by part.
#[derive(Clone)]
pub struct Fingerprint {
    signing: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fingerprint").finish_non_exhaustive()
    }
}

impl Fingerprint {
    /// Adds a part. Its length counts too: `ab`, `c` is not `a`, `bc`.
    #[must_use]
    pub fn and(self, part: &[u8]) -> Self {
        let size = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        let grown = |mac: Hmac<Sha256>| mac.chain_update(size).chain_update(part);
        Self { signing: grown(self.signing), previous: self.previous.map(grown) }
    }

    /// The bytes to store, made with the current key.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.signing.clone().finalize().into_bytes().to_vec()
    }

    /// Whether `kept` is the fingerprint of the same request, by either key.
    #[must_use]
    pub fn is(&self, kept: &[u8]) -> bool {
        let same = |mac: &Hmac<Sha256>| mac.clone().verify_slice(kept).is_ok();
        same(&self.signing) || self.previous.as_ref().is_some_and(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Config,
        config::{Env, Secret},
    };

    fn fingerprints(key: &str, previous: Option<&str>) -> Fingerprints {
        let pairs = [("DATABASE_URL", "postgres://erp@localhost/erp"), ("SECRET_KEY", key)];
        let auth = Config::read(Env::from_pairs(&pairs)).unwrap().auth;
        let previous_secret_key = previous.map(Secret::new);
        Fingerprints::new(&AuthConfig { previous_secret_key, ..auth }).unwrap()
    }

    const KEY: &str = "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6";

    #[test]
    fn a_request_is_told_from_every_other_and_known_after_a_rotation() {
        let of = |parts: &[&str]| {
            parts.iter().fold(fingerprints(KEY, None).begin(), |all, part| all.and(part.as_bytes()))
        };
        let kept = of(&["/clients", "ab"]).bytes();
        assert!(of(&["/clients", "ab"]).is(&kept));
        for other in [&["/clients", "ac"][..], &["/client", "sab"], &["/clientsab"], &[]] {
            assert!(!of(other).is(&kept), "{other:?}");
        }
        let new_key = "another key of thirty-two letters";
        let again = |keys: &Fingerprints| keys.begin().and(b"/clients").and(b"ab").is(&kept);
        assert!(again(&fingerprints(new_key, Some(KEY))), "rotated");
        assert!(!again(&fingerprints(new_key, None)), "rotated away");
    }
}
