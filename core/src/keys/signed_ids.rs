//! Secrets that are made of ids: those in the links that are mailed to the owner of an account, and those of the sessions of pages.
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::derived::DerivedKeys;
use crate::{Result, config::AuthConfig};

/// The keys of the secrets of one purpose.
///
/// A secret is an id and its HMAC-SHA256. So no table holds secrets, and a mail that is composed twice has the same link.
#[derive(Debug)]
pub struct SignedIds(DerivedKeys);

impl SignedIds {
    /// Those in the links of mails.
    pub fn of_account_links(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif account links v1")?))
    }

    /// Those in the addresses of reports.
    pub fn of_report_links(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif report links v1")?))
    }

    /// The cookies of the sessions of pages.
    pub fn of_cookies(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif page cookies v1")?))
    }

    /// What the forms of a session's pages send along, which no page of another site knows.
    pub fn of_forms(config: &AuthConfig) -> Result<Self> {
        Ok(Self(DerivedKeys::new(config, b"erp-mif page forms v1")?))
    }

    /// The secret of `id`: 64 characters that a URL and a cookie may hold.
    #[must_use]
    pub fn secret(&self, id: Uuid) -> String {
        let mac = self.0.clone().and(id.as_bytes()).sign();
        URL_SAFE_NO_PAD.encode([id.as_bytes().as_slice(), &mac].concat())
    }

    /// The id whose secret this is; `None` if these keys have not made it.
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

    fn links(key: &str, previous: Option<&str>) -> SignedIds {
        SignedIds::of_account_links(&derived::config(key, previous)).unwrap()
    }

    #[test]
    fn a_secret_of_one_purpose_is_good_for_no_other() {
        let config = derived::config("one", None);
        let [links, cookies, forms] =
            [SignedIds::of_account_links, SignedIds::of_cookies, SignedIds::of_forms]
                .map(|of| of(&config).unwrap());
        let secret = cookies.secret(Uuid::from_u128(7));
        assert!(cookies.read(&secret).is_some());
        assert!(links.read(&secret).is_none());
        assert!(forms.read(&secret).is_none());
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
