//! Fingerprints, by which two requests are compared.
use super::derived::DerivedKeys;
use crate::{Result, config::AuthConfig};

/// The keys of fingerprints. A fingerprint is an HMAC-SHA256 and no plain hash, since a request may hold a password, which a reader
/// of the database could guess from a plain hash.
#[derive(Debug)]
pub struct Fingerprints(DerivedKeys);

impl Fingerprints {
    pub fn new(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif idempotence v1")?))
    }

    /// An empty fingerprint.
    #[must_use]
    pub fn begin(&self) -> Fingerprint {
        Fingerprint(self.0.clone())
    }
}

/// The fingerprint of one request, built part by part.
#[derive(Debug, Clone)]
pub struct Fingerprint(DerivedKeys);

impl Fingerprint {
    /// Adds a part. Its length counts too: `ab`, `c` is not `a`, `bc`.
    #[must_use]
    pub fn and(self, part: &[u8]) -> Self {
        let size = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
        Self(self.0.and(size).and(part))
    }

    /// The bytes to store, made with the current key.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.0.clone().sign()
    }

    /// Whether `kept` is the fingerprint of the same request, by either key.
    #[must_use]
    pub fn is(&self, kept: &[u8]) -> bool {
        self.0.clone().have_signed(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::derived;

    fn fingerprints(key: &str, previous: Option<&str>) -> Fingerprints {
        Fingerprints::new(&derived::config(key, previous)).unwrap()
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
