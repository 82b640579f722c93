//! The cookies of pages: of a session, with whose it is and the secret that is made of the id of its row; of a trusted device; and of a
//! sign-in that has begun at the provider of the company.
use axum::http::{HeaderMap, HeaderValue, header};
use erp_core::{Ctx, auth, oidc::Pending};
use uuid::Uuid;

/// Browsers take a cookie of such a name only with `Secure`, `Path=/` and without `Domain`: no other host of the company can set one.
const SESSION: &str = "__Host-console";
const DEVICE: &str = "__Host-appareil";
const PENDING: &str = "__Host-entreprise";

/// Browsers keep such a cookie back from what begins on another site.
const OURS: &str = "Strict";
/// But send this one along when another site, the provider, leads back here.
const COMING_BACK: &str = "Lax";

/// The user and the session of the cookie, if it is ours.
pub fn read(ctx: &Ctx, headers: &HeaderMap) -> Option<(i64, Uuid)> {
    let (user_id, secret) = value(headers, SESSION)?.split_once('.')?;
    Some((user_id.parse().ok()?, ctx.page_cookies.read(secret)?))
}

/// The secret of a trusted device.
pub fn device(headers: &HeaderMap) -> Option<&str> {
    value(headers, DEVICE)
}

/// The sealed sign-in that waits for the answer of the provider.
pub fn pending(headers: &HeaderMap) -> Option<&str> {
    value(headers, PENDING)
}

fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        pairs.flat_map(|all| all.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The header that gives a browser the cookie of `session`.
pub fn set(ctx: &Ctx, user_id: i64, session: Uuid) -> Option<HeaderValue> {
    let secret = ctx.page_cookies.secret(session);
    header_of(SESSION, &format!("{user_id}.{secret}"), auth::PAGES_FOR.num_seconds(), OURS)
}

/// The header that gives a browser the secret of a trusted device.
pub fn set_device(secret: &str) -> Option<HeaderValue> {
    header_of(DEVICE, secret, auth::second_factor::devices::LIFETIME.num_seconds(), OURS)
}

/// The header that takes the session away.
pub fn removed() -> Option<HeaderValue> {
    header_of(SESSION, "", 0, OURS)
}

/// The header that gives a browser what it keeps while somebody signs in at the provider.
pub fn set_pending(sealed: &str) -> Option<HeaderValue> {
    header_of(PENDING, sealed, Pending::LIFETIME.num_seconds(), COMING_BACK)
}

/// The header that takes that away.
pub fn pending_removed() -> Option<HeaderValue> {
    header_of(PENDING, "", 0, COMING_BACK)
}

fn header_of(name: &str, value: &str, seconds: i64, site: &str) -> Option<HeaderValue> {
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite={site}");
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
