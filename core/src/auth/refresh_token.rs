//! Refresh tokens: the text that a client keeps, and the hashes of it that are stored.
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::secret::{self, hex};

/// A refresh token: a secret part that all tokens of one session share, by which the session is found, and 256 bits of its own.
pub(super) struct RefreshToken(String);

impl RefreshToken {
    const FAMILLE: usize = 32;
    const LENGTH: usize = Self::FAMILLE + 64;

    pub(super) fn new() -> Self {
        Self(format!("{}{}", Uuid::new_v4().simple(), secret::draw()))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_one = text.len() == Self::LENGTH && text.bytes().all(|b| b.is_ascii_hexdigit());
        is_one.then(|| Self(text.to_owned()))
    }

    /// The text that the client gets.
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// The hash of the shared part, as stored.
    pub(super) fn famille(&self) -> Vec<u8> {
        secret::hash(&self.0[..Self::FAMILLE])
    }

    /// The hash of the whole token, as stored.
    pub(super) fn hash(&self) -> Vec<u8> {
        secret::hash(&self.0)
    }

    /// The next token. It takes both this token and `sel`: a reader of the database has only `sel`, a thief of this token only
    /// the token.
    pub(super) fn successor(&self, sel: &[u8]) -> Self {
        let own = Sha256::new().chain_update(sel).chain_update(self.0.as_bytes()).finalize();
        Self(format!("{}{}", &self.0[..Self::FAMILLE], hex(&own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_token_and_a_salt_give_one_successor_of_the_same_family() {
        let token = RefreshToken::new();
        let next = token.successor(&[7; 32]);
        assert_eq!(next.0, token.successor(&[7; 32]).0);
        assert_ne!(next.0, token.successor(&[8; 32]).0);
        assert_eq!(next.famille(), token.famille());
        assert_ne!(next.hash(), token.hash());
        assert!(RefreshToken::parse(&next.0).is_some());
    }

    #[test]
    fn what_is_no_refresh_token_is_not_looked_up() {
        let long = "a".repeat(97);
        for text in ["", "abc", &"g".repeat(96), &long, &"é".repeat(48)] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
