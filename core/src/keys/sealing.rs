//! Secrets that the programs must read again: stored sealed, so that a copy of the database reveals none.
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};

use super::derived::derive;
use crate::{Result, config::AuthConfig};

const NONCE: usize = 24;

/// The keys that seal (XChaCha20-Poly1305), derived from the key that signs tokens; they rotate with it. The current one seals, the
/// one before it only opens.
pub struct Sealing {
    current: Key,
    previous: Option<Key>,
}

struct Key {
    /// Its name, which tells nothing of it.
    id: Vec<u8>,
    cipher: XChaCha20Poly1305,
}

/// A sealed secret, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The name of its key.
    pub cle: Vec<u8>,
    /// A random nonce, and what it was sealed to.
    pub octets: Vec<u8>,
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealing").finish_non_exhaustive()
    }
}

impl Sealing {
    /// Those of second factors.
    pub fn new(config: &AuthConfig) -> Result<Self> {
        const PURPOSE: [&[u8]; 2] =
            [b"erp-mif second factors v1", b"erp-mif second factors, names of keys v1"];
        Self::of(config, PURPOSE)
    }

    /// Those of what a browser keeps for us while somebody signs in at the provider of the company.
    pub fn of_sign_ins(config: &AuthConfig) -> Result<Self> {
        Self::of(config, [b"erp-mif sign-ins v1", b"erp-mif sign-ins, names of keys v1"])
    }

    /// The keys of one purpose, and their names.
    fn of(config: &AuthConfig, [purpose, names]: [&[u8]; 2]) -> Result<Self> {
        let (bytes, previous_bytes) = derive(config, purpose)?;
        let (id, previous_id) = derive(config, names)?;
        let key = |bytes: [u8; 32], id: [u8; 32]| Key {
            id: id[..8].to_vec(),
            cipher: XChaCha20Poly1305::new(&bytes.into()),
        };
        let (current, previous) = (key(bytes, id), previous_bytes.zip(previous_id));
        let previous = previous.map(|(bytes, id)| key(bytes, id));
        // Between the two steps of a rotation both keys are the same.
        Ok(Self { previous: previous.filter(|key| key.id != current.id), current })
    }

    /// Seals a secret of user `owner`, with the current key.
    pub fn seal(&self, owner: i64, secret: &[u8]) -> Result<Sealed> {
        let nonce: [u8; NONCE] = rand::random();
        let (msg, aad) = (secret, &owner.to_be_bytes()[..]);
        let sealed = self.current.cipher.encrypt(&XNonce::from(nonce), Payload { msg, aad });
        let sealed = sealed.map_err(|_| anyhow::anyhow!("a secret could not be sealed"))?;
        Ok(Sealed { cle: self.current.id.clone(), octets: [&nonce[..], &sealed].concat() })
    }

    /// The secret; `None` if neither key has sealed it for user `owner`.
    #[must_use]
    pub fn open(&self, owner: i64, sealed: &Sealed) -> Option<Vec<u8>> {
        let key = [Some(&self.current), self.previous.as_ref()];
        let key = key.into_iter().flatten().find(|key| key.id == sealed.cle)?;
        let (nonce, msg) = sealed.octets.split_first_chunk::<NONCE>()?;
        let aad = &owner.to_be_bytes()[..];
        key.cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok()
    }

    /// Whether the current key has sealed it.
    #[must_use]
    pub fn is_current(&self, sealed: &Sealed) -> bool {
        self.current.id == sealed.cle
    }

    /// The names of the current key and of the one before it.
    pub(crate) fn names(&self) -> (&[u8], Option<&[u8]>) {
        (&self.current.id, self.previous.as_ref().map(|key| key.id.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::derived;

    fn sealing(key: &str, previous: Option<&str>) -> Sealing {
        Sealing::new(&derived::config(key, previous)).unwrap()
    }

    #[test]
    fn a_secret_is_opened_for_its_owner_until_the_second_rotation() {
        let secret = b"twenty bytes of one.";
        let sealed = sealing("one", None).seal(7, secret).unwrap();
        assert!(!sealed.octets.windows(4).any(|part| secret.windows(4).any(|other| part == other)));
        assert_eq!(sealing("one", None).open(7, &sealed).unwrap(), secret);
        let rotated = sealing("two", Some("one"));
        assert_eq!(rotated.open(7, &sealed).unwrap(), secret);
        assert!(!rotated.is_current(&sealed));
        assert!(rotated.is_current(&rotated.seal(7, secret).unwrap()));
        assert_eq!(sealing("three", Some("two")).open(7, &sealed), None);

        assert_eq!(sealing("one", None).open(8, &sealed), None, "of another owner");
        let cut = Sealed { octets: sealed.octets[..20].to_vec(), ..sealed.clone() };
        assert_eq!(sealing("one", None).open(7, &cut), None);
        let mut altered = sealed.clone();
        altered.octets[30] ^= 1;
        assert_eq!(sealing("one", None).open(7, &altered), None);
        assert_ne!(sealed, sealing("one", None).seal(7, secret).unwrap(), "never twice the same");
    }
}
