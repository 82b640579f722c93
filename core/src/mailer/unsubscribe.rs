//! The headers by which a mail program offers to unsubscribe from a recurring mail.

/// `List-Unsubscribe` and `List-Unsubscribe-Post` (RFC 8058), for the headers of a digest: the
/// mail program shows its own button, and a click sends `POST` to `url` with the body
/// `List-Unsubscribe=One-Click`, without cookies or a login. So `url` must identify the reader,
/// and `GET` on it (the link in the footer, and scanners of mails) must change nothing.
/// Without `https` there is no one-click: only the address is announced.
#[must_use]
pub fn list_unsubscribe(url: &str) -> Vec<(&'static str, String)> {
    let mut headers = vec![("List-Unsubscribe", format!("<{url}>"))];
    if url.starts_with("https://") {
        headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    headers
}
