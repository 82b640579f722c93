//! The devices that an account is signed in from, and the mail about a new one.
//!
//! There is no cookie and no id of a device. A device is the kind of program (what it calls itself, without version numbers: an
//! update is no new device) together with the network (/24 or /64: another address of the same network is no new device
//! either). The owner is told when the same phone signs in from another network, and when somebody with a stolen password signs
//! in from elsewhere, even with the same browser.
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

use super::{sessions::Origin, store};
use crate::{
    Result, Tx,
    notifications::outgoing_mails::{self, AccountEvent, AccountNotice},
};

/// A device that was not seen for so long counts as new.
const KEPT: TimeDelta = TimeDelta::days(365);

/// Records the device that user `user_id` signs in from, and mails them if it is new. No mail is sent at the first sign-in of
/// an account.
pub(super) async fn signed_in(
    tx: &mut Tx<'_>,
    user_id: i64,
    origin: &Origin,
    now: DateTime<Utc>,
) -> Result<()> {
    let Ok(address) = origin.adresse.parse::<IpAddr>() else { return Ok(()) };
    let program = origin.user_agent.as_deref().unwrap_or_default();
    let hash = Sha256::digest(format!("{}\n{}", kind(program), device_network(address)));
    let others = store::has_devices(tx, user_id).await?;
    let is_new = store::see_device(tx, user_id, &hash, now).await?;
    if !(is_new && others) {
        return Ok(());
    }
    let avis = AccountNotice {
        adresse: Some(origin.adresse.clone()),
        appareil: (!program.is_empty()).then(|| name(program)),
        ..AccountNotice::new(AccountEvent::NouvelAppareil, now)
    };
    outgoing_mails::open_account_notice(tx, user_id, &avis, now).await
}

/// Forgets devices that were not seen for [`KEPT`], up to `limit`; but keeps the last one of each account, so that a sign-in
/// from another device after a year is reported, too.
pub(super) async fn purge(tx: &mut Tx<'_>, now: DateTime<Utc>, limit: i64) -> Result<u64> {
    store::purge_devices(tx, now - KEPT, limit).await
}

/// What a program calls itself, without version numbers.
fn kind(program: &str) -> String {
    program.chars().filter(|c| !c.is_ascii_digit() && !matches!(c, '.' | '_')).collect()
}

/// The network of an address: a /24 of IPv4, a /64 of IPv6.
fn device_network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The name of a program as people know it: "Firefox, Windows"; of an unknown one, the first 60 characters of what it calls
/// itself.
fn name(program: &str) -> String {
    // The order matters: each of these also claims to be some of those after it.
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let known = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| program.contains(part)).map(|(_, name)| *name)
    };
    match (known(&BROWSERS), known(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => program.chars().take(60).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36";

    #[test]
    fn an_update_is_no_other_program_and_another_program_is() {
        assert_eq!(kind(CHROME), kind(&CHROME.replace("143.0.0.0", "144.0.7559.59")));
        assert_ne!(kind(CHROME), kind(&CHROME.replace("Windows NT 10.0", "X11; Linux")));
        assert_ne!(kind(CHROME), kind("curl/8.14.1"));
    }

    #[test]
    fn the_next_address_of_a_network_is_no_other_network() {
        let of = |text: &str| device_network(text.parse().unwrap());
        assert_eq!(of("192.0.2.7"), of("192.0.2.201"));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.9"));
        assert_ne!(of("192.0.2.7"), of("192.0.3.7"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
    }

    #[test]
    fn programs_are_named_as_people_know_them() {
        assert_eq!(name(CHROME), "Chrome, Windows");
        assert_eq!(name(&format!("{CHROME} Edg/143.0")), "Edge, Windows");
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
        assert_eq!(name(iphone), "Safari, iPhone");
        assert_eq!(name("curl/8.14.1"), "curl/8.14.1");
        assert_eq!(name(&"é".repeat(300)).chars().count(), 60);
    }
}
