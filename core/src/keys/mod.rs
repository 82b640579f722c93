//! The keys of tokens, and those that are derived from them. One key signs tokens. The key before it only checks them, until
//! its tokens have expired.
//!
//! A token names its key by `kid`, so that a rotation logs nobody out. A token without a `kid` (issued by earlier versions) is
//! tried with both keys.
mod derived;
mod fingerprints;
pub mod rotate;
mod sealing;
mod signed_ids;
mod signed_urls;

use std::{fs, io, path::Path};

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation,
    jwk::{AlgorithmParameters, Jwk, ThumbprintHash},
};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

pub use fingerprints::{Fingerprint, Fingerprints};
pub use sealing::{Sealed, Sealing};
pub use signed_ids::SignedIds;
pub use signed_urls::{LIFETIME, SignedUrls};

use crate::{
    Code, Error, Result, Text,
    config::{AuthConfig, JwtAlgorithm, Secret},
    secret,
};

/// What a token is for: `typ` in its header ([RFC 8725, 3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)). A token of
/// one kind is never accepted as another kind, whatever its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-2.1).
    Access,
    /// The link in a digest.
    Unsubscribe,
    /// What a right password gives who must name a code as well.
    Challenge,
}

impl Kind {
    pub(crate) fn typ(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Unsubscribe => "unsubscribe+jwt",
            Self::Challenge => "challenge+jwt",
        }
    }

    /// Whether a token with this `typ` is of this kind. In mails of earlier versions the links have `JWT`, as the access tokens
    /// of those versions had; such links are recognised by their `sub`, and expire by themselves.
    pub(crate) fn is(self, typ: Option<&str>) -> bool {
        let typ = typ.unwrap_or_default();
        typ.eq_ignore_ascii_case(self.typ())
            || self == Self::Unsubscribe && typ.eq_ignore_ascii_case("JWT")
    }
}

/// The keys that sign and check, and how long tokens live.
pub struct Keys {
    signing: EncodingKey,
    /// The keys that check, by `kid`: the one that signs, and the one before it while there is one.
    checking: Vec<(String, DecodingKey)>,
    header: Header,
    validation: Validation,
    access_lifetime: TimeDelta,
    refresh_lifetime: TimeDelta,
    session_lifetime: TimeDelta,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("algorithm", &self.header.alg).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the key files, if the algorithm uses files.
    pub fn new(config: &AuthConfig) -> Result<Self> {
        let algorithm = algorithm(config.algorithm);
        let signing = signing(config)?;
        let (kid, check) = checking(&signing, algorithm)?;
        let mut header = Header::new(algorithm);
        header.kid = Some(kid.clone());
        let mut all = vec![(kid, check)];
        if let Some(previous) = previous(config)? {
            all.push(checking(&previous, algorithm)?);
            // Between the two steps of a rotation both keys are the same.
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
            session_lifetime: TimeDelta::days(config.session_days),
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

    /// How long a session lasts, however often its refresh token is exchanged.
    #[must_use]
    pub fn session_lifetime(&self) -> TimeDelta {
        self.session_lifetime
    }

    pub(crate) fn sign(&self, kind: Kind, claims: &impl Serialize) -> Result<String> {
        let header = Header { typ: Some(kind.typ().to_owned()), ..self.header.clone() };
        Ok(jsonwebtoken::encode(&header, claims, &self.signing).map_err(anyhow::Error::from)?)
    }

    /// The claims of `token`, if it is of this kind and signed by one of these keys. Does not check the expiry.
    pub(crate) fn read<T: DeserializeOwned + Clone>(&self, kind: Kind, token: &str) -> Result<T> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        if !kind.is(header.typ.as_deref()) {
            return Err(invalid());
        }
        let may_be = |kid: &String| header.kid.as_ref().is_none_or(|named| named == kid);
        self.checking
            .iter()
            .filter(|(kid, _)| may_be(kid))
            .find_map(|(_, key)| jsonwebtoken::decode::<T>(token, key, &self.validation).ok())
            .map(|data| data.claims)
            .ok_or_else(invalid)
    }
}

pub(crate) fn invalid() -> Error {
    Error::Unauthenticated {
        code: Code::JetonInvalide,
        text: Text::new(
            "Jeton d'accès invalide : reconnectez-vous.",
            "Invalid access token: sign in again.",
        ),
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

/// The key before the one that signs. Its file is absent before the first rotation, and may be absent or empty once its tokens
/// have expired.
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

/// What keys for other purposes are derived from: the secret or the private key (PEM) that signs, and the one before it while
/// there is one.
fn roots(config: &AuthConfig) -> Result<(Secret, Option<Secret>)> {
    if config.algorithm == JwtAlgorithm::Hs256 {
        return Ok((config.secret_key.clone(), config.previous_secret_key.clone()));
    }
    let pem = |path: &Path| match fs::read_to_string(path) {
        // Line endings may differ between machines.
        Ok(pem) => Ok(Secret::new(pem.split_ascii_whitespace().collect::<String>())),
        Err(error) => {
            Err((error.kind(), anyhow::Error::from(error).context(path.display().to_string())))
        }
    };
    let path = config.private_key_file.as_deref().unwrap_or_else(|| Path::new(""));
    let signing = pem(path).map_err(|(_, error)| error)?;
    let previous = match config.previous_key_file.as_deref().map(pem) {
        Some(Ok(pem)) => Some(pem).filter(|pem| !pem.reveal().is_empty()),
        Some(Err((io::ErrorKind::NotFound, _))) | None => None,
        Some(Err((_, error))) => return Err(error.into()),
    };
    Ok((signing, previous))
}

pub(crate) fn from_pem(algorithm: JwtAlgorithm, pem: &[u8]) -> anyhow::Result<EncodingKey> {
    match algorithm {
        JwtAlgorithm::Hs256 => Err(anyhow!("HS256 has no PEM")),
        JwtAlgorithm::Rs256 => long_enough(EncodingKey::from_rsa_pem(pem)?),
        JwtAlgorithm::EdDsa => Ok(EncodingKey::from_ed_pem(pem)?),
    }
}

/// The smallest size in bits that [RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-3.3) allows for RS256.
const RSA_BITS: u32 = 2048;

fn long_enough(key: EncodingKey) -> anyhow::Result<EncodingKey> {
    let jwk = Jwk::from_encoding_key(&key, Algorithm::RS256)?;
    let AlgorithmParameters::RSA(rsa) = &jwk.algorithm else { bail!("ce n'est pas une clé RSA") };
    let modulus = URL_SAFE_NO_PAD.decode(&rsa.n)?;
    // Significant bits: without leading zeros.
    let significant = modulus.iter().skip_while(|byte| **byte == 0);
    let first = significant.clone().next().map_or(0, |byte| 8 - byte.leading_zeros());
    let bits = first + 8 * significant.skip(1).map(|_| 1).sum::<u32>();
    if bits < RSA_BITS {
        bail!("une clé RSA de {bits} bits est trop courte : {RSA_BITS} au moins");
    }
    Ok(key)
}

fn checking(key: &EncodingKey, algorithm: Algorithm) -> anyhow::Result<(String, DecodingKey)> {
    const WHAT: &str = "deriving the key that checks tokens";
    let jwk = Jwk::from_encoding_key(key, algorithm).context(WHAT)?;
    Ok((kid(&jwk)?, DecodingKey::from_jwk(&jwk).context(WHAT)?))
}

/// The name of a key in the headers of its tokens: the same on every replica, and after every restart.
///
/// It is the first eight bytes of a hash of the RFC 7638 thumbprint with a prefix of our own: a hash of the key for another
/// purpose differs. For an attacker who guesses a secret key it is no better a check than the signature beside it, so it may
/// stand in tokens; it is shown nowhere else.
fn kid(jwk: &Jwk) -> anyhow::Result<String> {
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256)?;
    let hash = Sha256::digest(format!("erp-mif kid v1\n{thumbprint}").as_bytes());
    Ok(secret::hex(&hash[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `openssl genrsa -traditional 1024`; it was made for this test and opens nothing.
    const SHORT: &str = "-----BEGIN RSA PRIVATE KEY-----\n\
        MIICXQIBAAKBgQDDew2MXNE2Cpo5m8MgipQLT3grPWBWTX8kG5gCzTLRYND5+8qo\n\
        N1KdB94O6u/mRekIuOj1Uc8Q9qMCMsZ4hjdtz6xk+oC0wLGNJ0ogDc+xuVSdK+eF\n\
        THmaeYi2MLUVqlvxqHlgW24GXZ4IB5dT7k5eSrS6c5Ow1k6ReEd7COxl2wIDAQAB\n\
        AoGARxyfrB0j2nX27tgUHuVqv8aUH56/SgX9J4SGQxak0vhWbWpEqfceLZPsGx8q\n\
        UGnEQXELBhtRqYkfebBA9R1WUg+PFZpBk4z5+czjavp+sbBndgzB5jzURgTSOQRP\n\
        WENq8jzNmWfchTBLWA/6il3LBjbIAhioYSjA4Rz2KCpoEjECQQD5W6fHab5qDlPh\n\
        GpBcl80cVPoUjMciT0JjxkBPHhjo675r/0smRzqdteu4L+fWQpaHpmlPIFDyNThN\n\
        +eBe4MVTAkEAyLADjM1Yj9qMG2dueG36NLjevMVZCfqNPzG3c4X+dGnsFxmv9Lb7\n\
        i6wamXIHCXA7fv9RS9py37/yX7tHWrOEWQJAIj5cBB6Zb6cYDcnAGXcfS8y/qyLK\n\
        FgQccec/3Z2cfiAhvmMIxvDxM8dP37N0exAZ6/cGbz9Y3mpAmTS/g0gK0QJBAMQQ\n\
        SfeWao5oCnd/bkrTzx0Q+/Larulz0ejKTprbbsQW86OB4gineEt1gasl3sAW2Nly\n\
        4N7FdXMpmMZ0Nfrj5UkCQQCRslB7oMEIypRFUiKZk13IFJkc8bfM4IhEIgBQyBCO\n\
        1IpnhDhzzdSPHcUx7H1gwcEcEJVkTHovPDv3vzX2I/zs\n\
        -----END RSA PRIVATE KEY-----\n";

    #[test]
    fn a_short_rsa_key_is_refused() {
        let error = from_pem(JwtAlgorithm::Rs256, SHORT.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("1024 bits"), "{error}");
    }
}
