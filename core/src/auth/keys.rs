//! The keys of tokens: one that signs, and until its tokens have died the one before it, which only checks.
//!
//! A token names its key by `kid`, so that a rotation logs nobody out. One without (issued by versions that named none) is
//! tried with both.
use std::{fs, io, path::Path};

use anyhow::{Context as _, anyhow};
use chrono::TimeDelta;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{Jwk, ThumbprintHash},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::token;
use crate::{
    Result,
    config::{AuthConfig, JwtAlgorithm},
};

/// The keys that sign and check, and how long tokens live.
pub struct Keys {
    signing: EncodingKey,
    /// Those that check, by `kid`: the one that signs, and the one before it while there is one.
    checking: Vec<(String, DecodingKey)>,
    header: Header,
    validation: Validation,
    access_lifetime: TimeDelta,
    refresh_lifetime: TimeDelta,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("algorithm", &self.header.alg).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the key files where the algorithm wants them.
    pub fn new(config: &AuthConfig) -> Result<Self> {
        let algorithm = algorithm(config.algorithm);
        let signing = signing(config)?;
        let (kid, check) = checking(&signing, algorithm)?;
        let mut header = Header::new(algorithm);
        header.kid = Some(kid.clone());
        let mut all = vec![(kid, check)];
        if let Some(previous) = previous(config)? {
            all.push(checking(&previous, algorithm)?);
            // Between the two steps of a rotation both are the same.
            all.dedup_by(|a, b| a.0 == b.0);
        }
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["exp", "sub"]);
        // The expiry is checked against our own clock.
        validation.validate_exp = false;
        Ok(Self {
            signing,
            checking: all,
            header,
            validation,
            access_lifetime: TimeDelta::minutes(config.access_token_minutes),
            refresh_lifetime: TimeDelta::days(config.refresh_token_days),
        })
    }

    #[must_use]
    pub fn access_lifetime(&self) -> TimeDelta {
        self.access_lifetime
    }

    #[must_use]
    pub fn refresh_lifetime(&self) -> TimeDelta {
        self.refresh_lifetime
    }

    pub(super) fn sign(&self, claims: &impl Serialize) -> Result<String> {
        Ok(jsonwebtoken::encode(&self.header, claims, &self.signing)
            .map_err(anyhow::Error::from)?)
    }

    /// What `token` says, if one of these keys has signed it.
    pub(super) fn read<T: DeserializeOwned + Clone>(&self, token: &str) -> Result<T> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| token::invalid())?;
        let may_be = |kid: &String| header.kid.as_ref().is_none_or(|named| named == kid);
        self.checking
            .iter()
            .filter(|(kid, _)| may_be(kid))
            .find_map(|(_, key)| jsonwebtoken::decode::<T>(token, key, &self.validation).ok())
            .map(|data| data.claims)
            .ok_or_else(token::invalid)
    }
}

fn algorithm(named: JwtAlgorithm) -> Algorithm {
    match named {
        JwtAlgorithm::Hs256 => Algorithm::HS256,
        JwtAlgorithm::Rs256 => Algorithm::RS256,
        JwtAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

fn signing(config: &AuthConfig) -> Result<EncodingKey> {
    if config.algorithm == JwtAlgorithm::Hs256 {
        return Ok(EncodingKey::from_secret(config.secret_key.reveal().as_bytes()));
    }
    let path = config.private_key_file.as_deref().unwrap_or_else(|| Path::new(""));
    let name = || format!("JWT_PRIVATE_KEY_FILE={}", path.display());
    let pem = fs::read(path).with_context(name)?;
    Ok(from_pem(config.algorithm, &pem).with_context(name)?)
}

/// The key before the one that signs. Its file comes with the first rotation, and goes when its tokens have died.
fn previous(config: &AuthConfig) -> Result<Option<EncodingKey>> {
    if config.algorithm == JwtAlgorithm::Hs256 {
        let secret = config.previous_secret_key.as_ref();
        return Ok(secret.map(|key| EncodingKey::from_secret(key.reveal().as_bytes())));
    }
    let Some(path) = &config.previous_key_file else { return Ok(None) };
    let name = || format!("JWT_PREVIOUS_KEY_FILE={}", path.display());
    match fs::read(path) {
        Ok(pem) if pem.trim_ascii().is_empty() => Ok(None),
        Ok(pem) => Ok(Some(from_pem(config.algorithm, &pem).with_context(name)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::from(error).context(name()).into()),
    }
}

pub(super) fn from_pem(algorithm: JwtAlgorithm, pem: &[u8]) -> anyhow::Result<EncodingKey> {
    match algorithm {
        JwtAlgorithm::Hs256 => Err(anyhow!("HS256 has no PEM")),
        JwtAlgorithm::Rs256 => Ok(EncodingKey::from_rsa_pem(pem)?),
        JwtAlgorithm::EdDsa => Ok(EncodingKey::from_ed_pem(pem)?),
    }
}

fn checking(key: &EncodingKey, algorithm: Algorithm) -> anyhow::Result<(String, DecodingKey)> {
    const WHAT: &str = "deriving the key that checks tokens";
    let jwk = Jwk::from_encoding_key(key, algorithm).context(WHAT)?;
    Ok((kid(&jwk)?, DecodingKey::from_jwk(&jwk).context(WHAT)?))
}

/// The name of a key in the headers of its tokens: the same on every replica, and after every restart.
///
/// It is a hash of the RFC 7638 thumbprint with a word of our own, and of that eight bytes: nobody who hashes keys for another
/// purpose gets it. Of a secret key it tells whoever guesses no more than the signature beside it does, so it may
/// stand in tokens, and is shown nowhere else.
fn kid(jwk: &Jwk) -> anyhow::Result<String> {
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256)?;
    let hash = Sha256::digest(format!("erp-mif kid v1\n{thumbprint}").as_bytes());
    Ok(super::rotate::hex(&hash[..8]))
}
