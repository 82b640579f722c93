//! One mail, decoded for a reader: envelope, headers, and its text and HTML.

use anyhow::Context as _;
use chrono::DateTime;
use mailparse::{DispositionType, MailHeaderMap as _, ParsedMail};
use serde::{Serialize, Serializer};

/// A mail as it arrived, decoded.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Ids sort by arrival.
    pub id: String,
    /// The sender of the envelope: a bare address.
    pub from: String,
    /// The accepted recipients of the envelope (so also those in blind copy): bare addresses.
    pub to: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// The `Date` header in RFC 3339, or the time of arrival when it has none.
    pub date: String,
    /// The `Message-ID` header, with its angle brackets.
    pub message_id: Option<String>,
    /// Size of [`raw`](Self::raw).
    pub size_bytes: usize,
    /// Every header in its order, decoded.
    pub headers: Vec<(String, String)>,
    /// The first part of type `text/plain`, decoded.
    pub text: Option<String>,
    /// The first part of type `text/html`, decoded.
    pub html: Option<String>,
    /// The very bytes that were sent.
    #[serde(serialize_with = "lossy")]
    pub raw: Vec<u8>,
}

impl Message {
    /// The value of the first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub(super) fn parse(id: &str, file: &[u8]) -> anyhow::Result<Message> {
        let (Envelope { from, to }, raw) = Envelope::split(file);
        let mail =
            mailparse::parse_mail(raw).with_context(|| format!("mail {id} is unreadable"))?;
        let header = |name| mail.headers.get_first_value(name);
        let sent = header("Date").and_then(|date| mailparse::dateparse(&date).ok());
        let arrived = || id.split('-').next()?.parse::<i64>().ok().map(|ms| ms / 1000);
        let date = DateTime::from_timestamp(sent.or_else(arrived).unwrap_or(0), 0);
        Ok(Message {
            id: id.into(),
            from,
            to,
            subject: header("Subject").unwrap_or_default(),
            date: date.unwrap_or_default().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            message_id: header("Message-ID"),
            size_bytes: raw.len(),
            headers: mail.headers.iter().map(|h| (h.get_key(), h.get_value())).collect(),
            text: body_of(&mail, "text/plain"),
            html: body_of(&mail, "text/html"),
            raw: raw.into(),
        })
    }
}

fn body_of(mail: &ParsedMail, mimetype: &str) -> Option<String> {
    mail.parts()
        .filter(|part| part.ctype.mimetype == mimetype)
        .filter(|part| part.get_content_disposition().disposition != DispositionType::Attachment)
        .find_map(|part| part.get_body().ok())
}

fn lossy<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&String::from_utf8_lossy(bytes))
}

/// The sender and the accepted recipients. Like a server that delivers, we write them above the mail; below them the mail
/// is untouched.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Envelope {
    from: String,
    to: Vec<String>,
}

const FROM: &str = "Return-Path: <";
const TO: &str = "X-Original-To: <";

impl Envelope {
    pub fn header(from: &str, to: &[String]) -> String {
        let to = to.iter().flat_map(|to| [TO, to, ">\r\n"]);
        [FROM, from, ">\r\n"].into_iter().chain(to).collect()
    }

    /// The envelope and the mail. A file that was put there by hand has no envelope.
    fn split(mut file: &[u8]) -> (Envelope, &[u8]) {
        let mut envelope = Envelope::default();
        if let Some((from, rest)) = line(file, FROM) {
            (envelope.from, file) = (from, rest);
            while let Some((to, rest)) = line(file, TO) {
                envelope.to.push(to);
                file = rest;
            }
        }
        (envelope, file)
    }
}

/// The address in the first line of `file` when it begins with `prefix`, and what follows the line.
fn line<'a>(file: &'a [u8], prefix: &str) -> Option<(String, &'a [u8])> {
    let rest = file.strip_prefix(prefix.as_bytes())?;
    let end = rest.windows(3).position(|window| window == b">\r\n")?;
    Some((String::from_utf8_lossy(&rest[..end]).into_owned(), &rest[end + 3..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &str = "Subject: =?utf-8?b?UGxhbmlmacOpZQ==?=\r\n\
        Date: Mon, 2 Mar 2026 09:30:00 +0100\r\n\
        Content-Type: multipart/alternative; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        =C3=80 bient=C3=B4t\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>À bientôt</p>\r\n--b--\r\n";

    #[test]
    fn a_mail_is_decoded_and_its_bytes_are_kept() {
        let to = ["a@x.example".to_owned(), "b@x.example".to_owned()];
        let file = Envelope::header("erp@x.example", &to) + MAIL;
        let message = Message::parse("1772440000000-000001", file.as_bytes()).unwrap();
        assert_eq!(message.from, "erp@x.example");
        assert_eq!(message.to, to);
        assert_eq!(message.subject, "Planifiée");
        assert_eq!(message.header("subject"), Some("Planifiée"));
        assert_eq!(message.date, "2026-03-02T08:30:00Z");
        assert_eq!(message.text.unwrap().trim_end(), "À bientôt");
        assert_eq!(message.html.unwrap().trim_end(), "<p>À bientôt</p>");
        assert_eq!(message.raw, MAIL.as_bytes());
    }

    #[test]
    fn a_mail_put_there_by_hand_is_dated_by_its_name() {
        let message =
            Message::parse("1772440000000-000001", b"Subject: x\r\n\r\nBonjour\r\n").unwrap();
        assert_eq!((message.from.as_str(), message.to.len()), ("", 0));
        assert_eq!(message.date, "2026-03-02T08:26:40Z");
    }
}
