//! Keys for other purposes than tokens.
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::{
    Result,
    config::{AuthConfig, Secret},
};

/// The keys of one purpose, with the parts of the text that they are to sign. The current key signs (HMAC-SHA256); the one before
/// it only checks, until what it signed has expired.
#[derive(Clone)]
pub(super) struct DerivedKeys {
    signing: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DerivedKeys").finish_non_exhaustive()
    }
}

impl DerivedKeys {
    /// Derives them from the key that signs tokens, and from the one before it; they rotate with those. Each `purpose` has its own
    /// keys, which sign for no other purpose, nor tokens.
    pub fn new(config: &AuthConfig, purpose: &[u8]) -> Result<Self> {
        let (signing, previous) = derive(config, purpose)?;
        Ok(Self { signing: mac(&signing)?, previous: previous.map(|key| mac(&key)).transpose()? })
    }

    /// Adds `part` to the text.
    pub fn and(self, part: impl AsRef<[u8]>) -> Self {
        let grown = |mac: Hmac<Sha256>| mac.chain_update(&part);
        Self { signing: grown(self.signing), previous: self.previous.map(grown) }
    }

    /// The signature of the text, with the current key: 32 bytes.
    pub fn sign(self) -> Vec<u8> {
        self.signing.finalize().into_bytes().to_vec()
    }

    /// Whether `signature` is that of the text, by either key. Compares in constant time.
    pub fn have_signed(self, signature: &[u8]) -> bool {
        let good = |mac: Hmac<Sha256>| mac.verify_slice(signature).is_ok();
        good(self.signing) || self.previous.is_some_and(good)
    }
}

fn mac(key: &[u8]) -> Result<Hmac<Sha256>> {
    Ok(Hmac::<Sha256>::new_from_slice(key).map_err(anyhow::Error::from)?)
}

/// The key of a `purpose`, and the one before it while there is one. Those of another purpose tell nothing of them.
pub(super) fn derive(config: &AuthConfig, purpose: &[u8]) -> Result<([u8; 32], Option<[u8; 32]>)> {
    let one = |root: Secret| -> Result<[u8; 32]> {
        Ok(mac(root.reveal().as_bytes())?.chain_update(purpose).finalize().into_bytes().into())
    };
    let (signing, previous) = super::roots(config)?;
    Ok((one(signing)?, previous.map(one).transpose()?))
}

/// A configuration with these keys.
#[cfg(test)]
pub(super) fn config(key: &str, previous: Option<&str>) -> AuthConfig {
    use crate::{Config, config::Env};

    let pairs = [
        ("DATABASE_URL", "postgres://erp@localhost/erp"),
        ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
    ];
    let auth = Config::read(Env::from_pairs(&pairs)).unwrap().auth;
    let previous_secret_key = previous.map(Secret::new);
    AuthConfig { secret_key: Secret::new(key), previous_secret_key, ..auth }
}
