//! Codes: those of the application on the phone, and recovery codes. No SQL.
use anyhow::anyhow;
use chrono::{DateTime, Utc};
use qrcode::{QrCode, render::svg};
use totp_rs::{Builder, Secret, Totp};

use super::types::RecoveryCodes;
use crate::{Result, secret};

/// Who issues the codes, as applications on phones show it.
const ISSUER: &str = "MIF Maroc";
/// Bytes of a secret: what RFC 4226 recommends for HMAC-SHA-1, which all applications know.
const SECRET: usize = 20;
/// How many recovery codes there are at a time.
const RECOVERY: usize = 10;
/// Characters of a recovery code, of five bits each: 120 bits are not found from a plain hash (ASVS 5.0, 6.5.2, wants 112).
const LENGTH: usize = 24;
/// No two of these look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

pub(super) fn draw_secret() -> [u8; SECRET] {
    rand::random()
}

/// The secret with what the application on the phone is told of it: codes of six digits, for thirty seconds, of SHA-1. A clock may
/// be a step behind or ahead.
pub(super) fn totp(secret: &[u8], email: &str) -> Result<Totp> {
    let builder = Builder::new()
        .with_secret(Secret::new(secret.into()))
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_issuer(Some(ISSUER))
        .with_account_name(email.replace(':', " "));
    // Its errors hold what they judge: none of them is shown.
    builder.build().map_err(|_| anyhow!("a second factor has no usable secret").into())
}

/// The step whose code this is, if it is a present one of `totp`, or that of the step before or after.
pub(super) fn step(totp: &Totp, code: &str, now: DateTime<Utc>) -> Option<i64> {
    let now = u64::try_from(now.timestamp()).ok()?;
    i64::try_from(totp.check(code, now)?).ok()
}

/// A picture of `uri` for the camera of the phone: SVG that needs nothing from elsewhere.
pub(super) fn picture(uri: &str) -> Result<String> {
    let code = QrCode::new(uri).map_err(|_| anyhow!("an address is too long for a picture"))?;
    let svg = code.render::<svg::Color>().min_dimensions(240, 240).build();
    // Without the XML declaration it may also stand in a page.
    Ok(svg.find("<svg").map_or(svg.clone(), |start| svg[start..].to_owned()))
}

/// New recovery codes, as their owner gets them: `abcd-efgh-ijkl-mnop-qrst-uvwx`.
pub(super) fn draw_recovery_codes() -> RecoveryCodes {
    let letter = |byte: u8| char::from(ALPHABET[usize::from(byte % 32)]);
    let one = || {
        let letters: Vec<char> = rand::random::<[u8; LENGTH]>().map(letter).to_vec();
        letters.chunks(4).map(String::from_iter).collect::<Vec<_>>().join("-")
    };
    RecoveryCodes { codes_secours: (0..RECOVERY).map(|_| one()).collect() }
}

/// What somebody may have typed.
pub(super) enum Typed {
    /// Six digits.
    Code(String),
    /// The hash of a recovery code.
    Recovery(Vec<u8>),
    /// Neither.
    Nothing,
}

/// Reads a code as people type it: spaces, hyphens and capitals do not matter.
pub(super) fn read(code: &str) -> Typed {
    let plain: String = code
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .take(LENGTH + 1)
        .collect::<String>()
        .to_lowercase();
    if plain.len() == 6 && plain.bytes().all(|b| b.is_ascii_digit()) {
        return Typed::Code(plain);
    }
    let is_recovery = plain.len() == LENGTH && plain.bytes().all(|b| ALPHABET.contains(&b));
    if is_recovery { Typed::Recovery(secret::hash(&plain)) } else { Typed::Nothing }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// From RFC 6238, appendix B: the last six of the eight digits there.
    #[test]
    fn codes_are_those_of_the_standard_for_a_step_around_now() {
        let totp = totp(b"12345678901234567890", "a@b.ma").unwrap();
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")]
        {
            let then = at(seconds);
            let made = seconds / 30;
            for shift in [-30, 0, 30] {
                assert_eq!(step(&totp, code, then + TimeDelta::seconds(shift)), Some(made));
            }
            for shift in [-60, 60] {
                assert_eq!(step(&totp, code, then + TimeDelta::seconds(shift)), None);
            }
        }
        for other in ["28708", "2870822", "+87082", "28708a", "", "٢٨٧٠٨٢"] {
            assert_eq!(step(&totp, other, at(59)), None, "{other}");
        }
    }

    #[test]
    fn an_application_is_told_all_in_an_address_and_its_picture() {
        let uri = totp(&[7; SECRET], "n.tazi@mif.example").unwrap().to_url().unwrap();
        assert!(
            uri.starts_with("otpauth://totp/MIF%20Maroc:n.tazi%40mif.example?secret="),
            "{uri}"
        );
        assert!(uri.contains("&issuer=MIF%20Maroc") && uri.is_ascii(), "{uri}");
        let picture = picture(&uri).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>"), "{picture}");
        assert!(!picture.contains("href"), "nothing from elsewhere");
        assert!(totp(&[7; SECRET], "\"a:b\"@mif.example").unwrap().to_url().is_ok());
    }

    #[test]
    fn a_recovery_code_is_read_as_people_type_it() {
        let RecoveryCodes { codes_secours: codes } = draw_recovery_codes();
        assert_eq!(codes.len(), RECOVERY);
        let hash = |code: &str| match read(code) {
            Typed::Recovery(hash) => Some(hash),
            _ => None,
        };
        let code = &codes[0];
        assert!(code.len() == 29 && hash(code).is_some(), "{code}");
        assert_eq!(hash(code), hash(&format!(" {} ", code.to_uppercase().replace('-', " "))));
        assert_ne!(hash(code), hash(&codes[1]));
        assert!(matches!(read(" 287 082"), Typed::Code(code) if code == "287082"));
        for other in [
            "",
            "12345",
            "abcd",
            "abcd-efgh-ijkl-mnop-qrst-uvw1",
            "abcd-efgh-ijkl-mnop-qrst-uvwx-y",
        ] {
            assert!(matches!(read(other), Typed::Nothing), "{other}");
        }
    }
}
