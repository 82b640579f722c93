//! The cookies of pages: of a session, with whose it is and the secret that is made of the id of its row; and of a trusted device.
use axum::http::{HeaderMap, HeaderValue, header};
use erp_core::{Ctx, auth};
use uuid::Uuid;

/// Browsers take a cookie of such a name only with `Secure`, `Path=/` and without `Domain`: no other host of the company can set one.
const SESSION: &str = "__Host-console";
const DEVICE: &str = "__Host-appareil";

/// The user and the session of the cookie, if it is ours.
pub fn read(ctx: &Ctx, headers: &HeaderMap) -> Option<(i64, Uuid)> {
    let (user_id, secret) = value(headers, SESSION)?.split_once('.')?;
    Some((user_id.parse().ok()?, ctx.page_cookies.read(secret)?))
}

/// The secret of a trusted device.
pub fn device(headers: &HeaderMap) -> Option<&str> {
    value(headers, DEVICE)
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
    header_of(SESSION, &format!("{user_id}.{secret}"), auth::PAGES_FOR.num_seconds())
}

/// The header that gives a browser the secret of a trusted device.
pub fn set_device(secret: &str) -> Option<HeaderValue> {
    header_of(DEVICE, secret, auth::second_factor::devices::LIFETIME.num_seconds())
}

/// The header that takes the session away.
pub fn removed() -> Option<HeaderValue> {
    header_of(SESSION, "", 0)
}

fn header_of(name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
    let text =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Strict");
    let mut header = HeaderValue::from_str(&text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
