//! A sign-in that has begun at the provider, as the browser keeps it: sealed, so that nobody reads or makes one.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    keys::{Sealed, Sealing},
};

/// What the answer of the provider is compared with, and what happens after it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Pending {
    pub(super) state: String,
    pub(super) nonce: String,
    /// Of PKCE.
    pub(super) verifier: String,
    /// Where to go then.
    pub suite: String,
    /// The secret of a trusted device: the browser does not send it along from another site.
    pub appareil: Option<String>,
    pub(super) until: i64,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("suite", &self.suite).finish_non_exhaustive()
    }
}

impl Pending {
    /// How long somebody has to sign in at the provider.
    pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);
    /// It belongs to nobody yet.
    const OWNER: i64 = 0;
    /// Bytes of the name of a key.
    const NAME: usize = 8;

    pub(super) fn seal(&self, sealing: &Sealing) -> Result<String> {
        let bytes = serde_json::to_vec(self).map_err(anyhow::Error::from)?;
        let sealed = sealing.seal(Self::OWNER, &bytes)?;
        Ok(URL_SAFE_NO_PAD.encode([sealed.cle, sealed.octets].concat()))
    }

    pub(super) fn open(sealing: &Sealing, cookie: &str, now: DateTime<Utc>) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let (cle, octets) = bytes.split_at_checked(Self::NAME)?;
        let sealed = Sealed { cle: cle.to_vec(), octets: octets.to_vec() };
        let pending: Self = serde_json::from_slice(&sealing.open(Self::OWNER, &sealed)?).ok()?;
        (pending.until > now.timestamp()).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, config::Env};

    #[test]
    fn a_sign_in_is_read_for_ten_minutes_by_who_sealed_it() {
        let pairs = [
            ("DATABASE_URL", "postgres://erp@localhost/erp"),
            ("SECRET_KEY", "f2c6d1c0a9e84b7b95a3a1d0e7c4b8f6"),
        ];
        let config = Config::read(Env::from_pairs(&pairs)).unwrap().auth;
        let sealing = Sealing::of_sign_ins(&config).unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let text = |text: &str| text.to_owned();
        let pending = Pending {
            state: text("etat"),
            nonce: text("nonce"),
            verifier: text("verifier"),
            suite: text("/console"),
            appareil: None,
            until: (now + Pending::LIFETIME).timestamp(),
        };
        assert!(!format!("{pending:?}").contains("etat"));
        let cookie = pending.seal(&sealing).unwrap();
        let last = now + Pending::LIFETIME - TimeDelta::seconds(1);
        assert_eq!(Pending::open(&sealing, &cookie, last).unwrap().state, "etat");
        assert!(Pending::open(&sealing, &cookie, now + Pending::LIFETIME).is_none());
        // The key of another purpose opens none.
        assert!(Pending::open(&Sealing::new(&config).unwrap(), &cookie, now).is_none());
        for bad in ["", "AAAA", &cookie[..40], &format!("{cookie}x")] {
            assert!(Pending::open(&sealing, bad, now).is_none(), "{bad}");
        }
    }
}
