//! Turns a rendered mail and its addresses into the bytes to send.
//! Text that users typed cannot add a header, a recipient or a second message.

use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};

use super::{Rendered, clean};
use crate::{Code, Error, Result};

/// The most characters of a name in an address; more are of no use.
const NAME_MAX: usize = 100;

/// A mail ready to be sent to one person.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// Name of the reader; may be empty.
    pub to_name: String,
    /// Address of the reader.
    pub to_email: String,
    /// From [`super::message_id`]; sent exactly as given.
    pub message_id: String,
    /// Subject and body.
    pub rendered: Rendered,
    /// More headers: names from the code, values from anywhere.
    pub headers: Vec<(&'static str, String)>,
}

/// A mail as it is sent; it stays the same from its first transmission on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The address of its one recipient.
    pub to_email: String,
    pub message_id: String,
    /// Headers and body ([RFC 5322](https://www.rfc-editor.org/rfc/rfc5322)), before dots are doubled.
    pub bytes: Vec<u8>,
}

impl OutgoingMail {
    /// The mail as it is sent; `idempotency` names one more header that carries its Message-ID.
    pub(super) fn freeze(&self, from: &Mailbox, idempotency: Option<&str>) -> Result<Frozen> {
        let mut message = self.message(from)?;
        if let Some(name) = idempotency {
            let name = HeaderName::new_from_ascii(name.to_owned()).map_err(anyhow::Error::from)?;
            message.headers_mut().insert_raw(HeaderValue::new(name, self.message_id.clone()));
        }
        Ok(Frozen {
            to_email: self.to_email.clone(),
            message_id: self.message_id.clone(),
            bytes: message.formatted(),
        })
    }

    /// Builds the whole message. An unusable address is `Refused`.
    pub(super) fn message(&self, from: &Mailbox) -> Result<Message> {
        let to = mailbox(&self.to_name, &self.to_email)
            .map_err(|detail| Error::refused(Code::SmtpRefuse, detail.clone(), detail))?;
        if !is_message_id(&self.message_id) {
            return Err(anyhow::anyhow!("not a Message-ID: {:?}", self.message_id).into());
        }
        let mut builder = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(clean::one_line(&self.rendered.subject))
            .message_id(Some(self.message_id.clone()));
        // They ask for no automatic replies (holiday notices).
        let automatic = [("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "All")];
        let extra = self.headers.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in automatic.into_iter().chain(extra) {
            let name = HeaderName::new_from_ascii(name.to_owned()).map_err(anyhow::Error::from)?;
            builder = builder.raw_header(HeaderValue::new(name, clean::one_line(value)));
        }
        let parts = MultiPart::alternative_plain_html(
            self.rendered.text.clone(),
            self.rendered.html.clone(),
        );
        Ok(builder.multipart(parts).map_err(anyhow::Error::from)?)
    }
}

/// Parses the address of a recipient; an unusable one is `Refused`.
pub(super) fn address(email: &str) -> Result<Address> {
    let mailbox = mailbox("", email);
    mailbox
        .map(|mailbox| mailbox.email)
        .map_err(|detail| Error::refused(Code::SmtpRefuse, detail.clone(), detail))
}

/// Parses an address, with its name; the error says why it is unusable.
pub(super) fn mailbox(name: &str, email: &str) -> Result<Mailbox, String> {
    let hostile = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',');
    if email.contains(hostile) {
        return Err(format!("adresse inutilisable : {email:?}"));
    }
    let address: Address =
        email.parse().map_err(|err| format!("adresse inutilisable : {email:?} ({err})"))?;
    let name = clean::shorten(&clean::one_line(name), NAME_MAX);
    Ok(Mailbox::new((!name.is_empty()).then_some(name), address))
}

/// Whether `id` is `<left@right>` in printable ASCII, which the header takes without any encoding.
fn is_message_id(id: &str) -> bool {
    let inner = id.strip_prefix('<').and_then(|rest| rest.strip_suffix('>'));
    inner.and_then(|inner| inner.split_once('@')).is_some_and(|(left, right)| {
        [left, right].iter().all(|part| {
            !part.is_empty()
                && part.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>' | '@'))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(mail: &OutgoingMail) -> String {
        let from = mailbox("Société \"MIF\"\r\nBcc: a@b.ma", "erp@mif-maroc.example").unwrap();
        String::from_utf8(mail.message(&from).unwrap().formatted()).unwrap()
    }

    fn mail() -> OutgoingMail {
        OutgoingMail {
            to_name: "Zoé \u{202e}<x@y.ma>,\r\nBcc: espion@exemple.ma".into(),
            to_email: "zoe@exemple.ma".into(),
            message_id: "<notification-42@mif-maroc.example>".into(),
            rendered: Rendered {
                subject: "Pompe\r\nBcc: espion@exemple.ma\r\n\r\nCorps".into(),
                html: "<p>é</p>\n.\nQUIT".into(),
                text: "é\n.\nQUIT".into(),
            },
            headers: vec![("X-Suivi", "42\r\nBcc: espion@exemple.ma".into())],
        }
    }

    #[test]
    fn nothing_adds_a_header_or_a_recipient() {
        let mail = mail();
        let text = formatted(&mail);
        let headers = text.split("\r\n\r\n").next().unwrap();
        let names: Vec<&str> = headers
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let expected = [
            "From",
            "To",
            "Subject",
            "Message-ID",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "X-Suivi",
            "Date",
            "MIME-Version",
            "Content-Type",
        ];
        let sorted = |mut v: Vec<&str>| {
            v.sort_unstable();
            v.join(" ")
        };
        assert_eq!(sorted(names), sorted(expected.to_vec()), "{headers}");
        assert!(headers.contains("Message-ID: <notification-42@mif-maroc.example>"), "{headers}");
        let envelope = mail.message(&mailbox("", "a@b.ma").unwrap()).unwrap().envelope().clone();
        assert_eq!(envelope.to().len(), 1);
        assert_eq!(envelope.to()[0].to_string(), "zoe@exemple.ma");
    }

    #[test]
    fn unusable_addresses_are_refused_for_good() {
        for email in [
            "",
            "zoe",
            "a@b@c",
            "a b@c.ma",
            "a@b.ma\r\nDATA",
            "x@y.ma,z@y.ma",
            "<a@b.ma>",
            "a@b.ma>",
        ] {
            let error = OutgoingMail { to_email: email.into(), ..mail() }
                .message(&mailbox("", "a@b.ma").unwrap())
                .unwrap_err();
            assert!(
                matches!(error, Error::Refused { code: Code::SmtpRefuse, .. }),
                "{email}: {error}"
            );
        }
    }

    #[test]
    fn a_message_id_is_sent_as_given_or_not_at_all() {
        for id in ["", "42", "<42>", "<a@b", "<a b@c>", "<a@b>\r\nBcc: x@y.ma", "<é@b>", "<@b>"] {
            let mail = OutgoingMail { message_id: id.into(), ..mail() };
            assert!(mail.message(&mailbox("", "a@b.ma").unwrap()).is_err(), "{id}");
        }
    }
}
