//! The secrets in the links that are mailed to the owner of an account.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::derived::DerivedKeys;
use crate::{Result, config::AuthConfig};

/// The keys of those secrets.
///
/// A secret is the id of a link and its HMAC-SHA256. So no table of links holds secrets, and a mail that is composed twice has the
/// same link.
#[derive(Debug)]
pub struct AccountLinks(DerivedKeys);

impl AccountLinks {
    pub fn new(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif account links v1")?))
    }

    /// The secret of link `id`: 64 characters that a URL may hold.
    #[must_use]
    pub fn secret(&self, id: Uuid) -> String {
        let mac = self.0.clone().and(id.as_bytes()).sign();
        URL_SAFE_NO_PAD.encode([id.as_bytes().as_slice(), &mac].concat())
    }

    /// The id of the link whose secret this is; `None` if these keys have not made it.
    #[must_use]
    pub fn read(&self, secret: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(secret).ok()?;
        let (id, mac) = bytes.split_first_chunk::<16>()?;
        self.0.clone().and(id).have_signed(mac).then(|| Uuid::from_bytes(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::derived;

    fn links(key: &str, previous: Option<&str>) -> AccountLinks {
        AccountLinks::new(&derived::config(key, previous)).unwrap()
    }

    #[test]
    fn a_secret_is_good_until_the_second_rotation_and_only_as_it_was_made() {
        let id = Uuid::from_u128(7);
        let secret = links("one", None).secret(id);
        assert_eq!(secret.len(), 64);
        assert_eq!(links("one", None).read(&secret), Some(id));
        assert_eq!(links("two", Some("one")).read(&secret), Some(id));
        assert_eq!(links("three", Some("two")).read(&secret), None);
        for (at, c) in secret.char_indices() {
            let other = if c == 'A' { "B" } else { "A" };
            let mut altered = secret.clone();
            altered.replace_range(at..=at, other);
            assert_eq!(links("one", None).read(&altered), None, "{altered}");
        }
        for cut in ["", "A", &secret[..22], &secret[..63]] {
            assert_eq!(links("one", None).read(cut), None, "{cut}");
        }
    }
}
