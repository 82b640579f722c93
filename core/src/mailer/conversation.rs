//! One mail over one connection: up to `354`, which changes nothing for anybody, and the transmission, which cannot be taken
//! back.
//!
//! Between the two the caller claims the mail, so that whoever comes after a crash knows that its end is in doubt
//! ([RFC 1047](https://www.rfc-editor.org/rfc/rfc1047): no client can know it).
use std::sync::Arc;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{Extension, MailBodyParameter, MailParameter};
use tokio::time::timeout;

use super::connect::too_late;
use super::message::address;
use super::smtp::{Connected, Inner, Mailer, Turn};
use crate::{Error, Result, metrics::outside};

/// Answers about us or the server, not about this mail: it closes the connection, or wants another login.
const NOT_THIS_MAIL: [u16; 5] = [421, 530, 534, 535, 538];

/// A connection on which the server has said `354`: it waits for the body of a mail to one recipient. Dropped, the
/// connection is closed, and the mail was not sent.
pub struct Conversation {
    connection: Box<Connected>,
    mailer: Arc<Inner>,
    to: Address,
}

/// What became of a mail whose body was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmission {
    /// The server has taken it upon itself.
    Accepted,
    /// 4yz: not accepted, and may be later.
    Deferred(String),
    /// 5yz: not accepted, for good.
    Refused(String),
    /// The connection ended before the final dot: not accepted.
    NotSent(String),
    /// No answer came to the final dot: the server may have accepted it.
    InDoubt(String),
}

impl Mailer {
    /// Opens a conversation with the server for a mail to `to`, up to its `354`. No answer of its steps leaves anything in
    /// doubt.
    ///
    /// `Refused` when the server refuses the recipient or the mail for good, or has no means to carry its address;
    /// `Deferred` when it asks to come later with a mail to this recipient (greylisting, a full mailbox); anything else,
    /// a refusal of our login or our sender included, is `Unavailable`.
    pub async fn open(&self, to: &str) -> Result<Conversation> {
        let to = address(to)?;
        // That others use the places is not the server's slowness.
        let place = self.inner().place().await?;
        // It holds all that a handshake needs.
        outside("smtp", Box::pin(self.begin(to, place))).await
    }

    async fn begin(&self, to: Address, turn: Turn) -> Result<Conversation> {
        let mailer = self.inner();
        let reused = matches!(turn, Turn::Idle(..));
        let mut connection = mailer.connection(turn).await?;
        let mut answer = mailer.talk(&mut connection.smtp, &to).await;
        if reused && answer.as_ref().is_err_and(Error::is_unavailable) {
            // A server that wants no more mails on one connection takes them on another.
            connection = mailer.renew(connection).await?;
            answer = mailer.talk(&mut connection.smtp, &to).await;
        }
        match answer {
            Ok(()) => Ok(Conversation { connection, mailer: mailer.clone(), to }),
            Err(error) => {
                if !error.is_unavailable()
                    && matches!(mailer.command(&mut connection.smtp, Rset).await, Ok(Ok(())))
                {
                    mailer.keep(connection);
                }
                Err(error)
            }
        }
    }
}

impl Conversation {
    /// Whether the server waits for a mail to `to`.
    #[must_use]
    pub fn is_to(&self, to: &str) -> bool {
        address(to).is_ok_and(|to| to == self.to)
    }

    /// Sends the body and the final dot, and waits for the answer: up to ten minutes.
    pub async fn transmit(mut self, body: &[u8]) -> Transmission {
        let limit = self.mailer.config.dot_timeout;
        // The second part is asked for when the first was written: what comes then is the dot.
        let mut written = false;
        let parts = std::iter::once(body).chain(std::iter::from_fn(|| {
            written = true;
            None
        }));
        let call = async {
            match timeout(limit, self.connection.smtp.message_iter(parts)).await {
                Ok(Ok(_accepted)) => Ok(Transmission::Accepted),
                Ok(Err(error)) => Err(self.mailer.outcome(&error)),
                Err(_) => Err(Transmission::InDoubt(too_late(limit))),
            }
        };
        let outcome = outside("smtp", call).await.unwrap_or_else(|outcome| outcome);
        if let (Transmission::InDoubt(why), false) = (&outcome, written) {
            return Transmission::NotSent(why.clone());
        }
        if outcome == Transmission::Accepted {
            self.mailer.keep(self.connection);
        }
        outcome
    }
}

impl Inner {
    /// From `MAIL FROM` to `354`.
    async fn talk(&self, connection: &mut AsyncSmtpConnection, to: &Address) -> Result<()> {
        let sender = self.from.email.clone();
        let options = options(connection, &[&sender, to])?;
        if let Err(error) = self.command(connection, Mail::new(Some(sender), options)).await? {
            // About our sender, or about this server at the moment: the mail is as good as any other.
            return Err(self.unavailable(&self.explain(&error)));
        }
        let answer = match self.command(connection, Rcpt::new(to.clone(), Vec::new())).await? {
            Ok(()) => self.command(connection, Data).await?,
            refused => refused,
        };
        answer.map_err(|error| self.of_this_mail(&error))
    }

    /// One command and its answer; outside: no answer, inside: a negative one. Only this layer gives a connection up.
    async fn command(
        &self,
        connection: &mut AsyncSmtpConnection,
        command: impl std::fmt::Display,
    ) -> Result<Result<(), SmtpError>> {
        let limit = self.config.timeout;
        match timeout(limit, connection.command(command)).await {
            Ok(Ok(_positive)) => Ok(Ok(())),
            Ok(Err(error)) => match error.status().map(u16::from) {
                Some(code) if !NOT_THIS_MAIL.contains(&code) => Ok(Err(error)),
                _ => Err(self.unavailable(&self.explain(&error))),
            },
            Err(_) => Err(self.unavailable(&too_late(limit))),
        }
    }

    /// A negative answer to what was said of one mail.
    fn of_this_mail(&self, error: &SmtpError) -> Error {
        let answer = self.explain(error);
        if error.is_permanent() {
            return Error::refused("smtp_refuse", answer.clone(), answer);
        }
        Error::Deferred(answer)
    }

    fn outcome(&self, error: &SmtpError) -> Transmission {
        let answer = self.explain(error);
        match error.status() {
            Some(_) if error.is_permanent() => Transmission::Refused(answer),
            Some(_) if error.is_transient() => Transmission::Deferred(answer),
            _ => Transmission::InDoubt(answer),
        }
    }
}

/// What `MAIL FROM` must announce of an address beyond ASCII
/// ([RFC 6531](https://www.rfc-editor.org/rfc/rfc6531#section-3.4)). The rest of a mail is ASCII: lettre encodes it.
fn options(connection: &AsyncSmtpConnection, addresses: &[&Address]) -> Result<Vec<MailParameter>> {
    let plain = |address: &&Address| AsRef::<str>::as_ref(*address).is_ascii();
    if addresses.iter().all(plain) {
        return Ok(Vec::new());
    }
    let server = connection.server_info();
    let (utf8, bytes) = (Extension::SmtpUtfEight, Extension::EightBitMime);
    if !server.supports_feature(utf8) || !server.supports_feature(bytes) {
        return Err(Error::refused(
            "smtp_refuse",
            "Le serveur de courriel ne sait pas transporter cette adresse (SMTPUTF8) : utilisez-en une sans accents.",
            "The mail server cannot carry this address (SMTPUTF8): use one in plain ASCII.",
        ));
    }
    Ok(vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)])
}
