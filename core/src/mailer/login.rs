//! Decides whether to sign in on a connection: never in clear text to a server that is neither on this machine nor on a private
//! network.
use std::net::IpAddr;

/// The outcome of signing in as `SMTP_USER` on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// `SMTP_USER` is not set.
    None,
    /// The server accepted the login.
    Accepted,
    /// The server offers no AUTH, like the test mailboxes of developers: mails leave without a login.
    NotOffered,
}

/// Whether to sign in on a connection to `address`; the error says why mails must wait.
pub(super) fn may_sign_in(
    address: IpAddr,
    is_encrypted: bool,
    is_offered: bool,
) -> Result<bool, &'static str> {
    match (is_near(address), is_encrypted, is_offered) {
        (true, _, offered) => Ok(offered),
        (false, true, true) => Ok(true),
        (false, true, false) => Err(
            "le serveur ne propose pas d'identification (AUTH) : retirez SMTP_USER, ou changez de port",
        ),
        (false, false, _) => Err(
            "SMTP_PASSWORD ne part pas en clair vers une adresse publique : SMTP_TLS=starttls ou tls",
        ),
    }
}

/// Whether `address` is on this machine, or on a network that the internet does not reach:
/// [RFC 1918](https://www.rfc-editor.org/rfc/rfc1918), [RFC 4193](https://www.rfc-editor.org/rfc/rfc4193), link-local.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_in_clear_to_near_addresses_only() {
        let near = [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "172.30.8.9",
            "192.168.1.1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ];
        let far = ["8.8.8.8", "172.32.0.1", "100.64.0.1", "2001:db8::1", "::ffff:8.8.8.8"];
        for address in near.map(|text| text.parse().unwrap()) {
            for encrypted in [false, true] {
                assert_eq!(may_sign_in(address, encrypted, true), Ok(true), "{address}");
                assert_eq!(may_sign_in(address, encrypted, false), Ok(false), "{address}");
            }
        }
        for address in far.map(|text| text.parse().unwrap()) {
            assert_eq!(may_sign_in(address, true, true), Ok(true), "{address}");
            for (encrypted, offered) in [(true, false), (false, true), (false, false)] {
                assert!(may_sign_in(address, encrypted, offered).is_err(), "{address}");
            }
        }
    }
}
