//! Sends one mail over one connection, in two parts: up to `354`, which has no effect, and the transmission, which cannot be
//! undone.
//!
//! Between the two the caller claims the mail, so that after a crash the next attempt knows that its outcome is in doubt
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
use crate::{Code, Error, Result, metrics::outside};

/// Reply codes about us or the server, not about this mail: the server closes the connection, or wants another login.
const NOT_THIS_MAIL: [u16; 5] = [421, 530, 534, 535, 538];

/// A connection on which the server has answered `354`: it waits for the body of a mail to one recipient. Dropping it closes
/// the connection, and the mail is not sent.
pub struct Conversation {
    connection: Box<Connected>,
    mailer: Arc<Inner>,
    to: Address,
}

/// The outcome of a transmission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transmission {
    /// The server has accepted the mail.
    Accepted,
    /// 4yz: not accepted; a later attempt may succeed.
    Deferred(String),
    /// 5yz: refused permanently.
    Refused(String),
    /// The connection or the time limit ended before the final dot: not accepted.
    NotSent(String),
    /// No answer came to the final dot: the server may have accepted it.
    InDoubt(String),
}

impl Mailer {
    /// Opens a conversation with the server for a mail to `to`, up to its `354`. A failure leaves nothing in doubt: no mail
    /// was sent.
    ///
    /// `Refused` if the address is unusable, or the server refuses the recipient or the mail permanently, or cannot carry the
    /// address; `Deferred` if it asks to retry a mail to this recipient later (greylisting, a full mailbox); anything else,
    /// a refusal of our login or our sender included, is `Unavailable`.
    pub async fn open(&self, to: &str) -> Result<Conversation> {
        let to = address(to)?;
        // Not measured below: waiting for a place is not slowness of the server.
        let place = self.inner().place().await?;
        // Boxed, since the future is large: it holds all that a handshake needs.
        outside("smtp", Box::pin(self.begin(to, place))).await
    }

    async fn begin(&self, to: Address, turn: Turn) -> Result<Conversation> {
        let mailer = self.inner();
        let reused = matches!(turn, Turn::Idle(..));
        let mut connection = mailer.connection(turn).await?;
        let mut answer = mailer.talk(&mut connection.smtp, &to).await;
        if reused && answer.as_ref().is_err_and(Error::is_unavailable) {
            // The server may take no more mails on this connection, but does on a new one.
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

    /// Sends the body and the final dot, and waits for the answer: `dot_timeout` in all, by default ten minutes.
    pub async fn transmit(mut self, body: &[u8]) -> Transmission {
        let limit = self.mailer.config.dot_timeout;
        // The second part is asked for once the first is written: what is sent next is the dot.
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
    /// Sends `MAIL FROM`, `RCPT TO` and `DATA`, up to the answer `354`.
    async fn talk(&self, connection: &mut AsyncSmtpConnection, to: &Address) -> Result<()> {
        let sender = self.from.email.clone();
        let options = options(connection, &[&sender, to])?;
        if let Err(error) = self.command(connection, Mail::new(Some(sender), options)).await? {
            // It concerns our sender, or the server at the moment, and not this mail.
            return Err(self.unavailable(&self.explain(&error)));
        }
        let answer = match self.command(connection, Rcpt::new(to.clone(), Vec::new())).await? {
            Ok(()) => self.command(connection, Data).await?,
            refused => refused,
        };
        answer.map_err(|error| self.of_this_mail(&error))
    }

    /// Sends one command and reads its answer. The outer error: no answer, or one of `NOT_THIS_MAIL`; the connection is of no
    /// more use. The inner error: another negative answer.
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

    /// The error of a negative answer about one mail: `Refused` if it is permanent, else `Deferred`.
    fn of_this_mail(&self, error: &SmtpError) -> Error {
        let answer = self.explain(error);
        if error.is_permanent() {
            return Error::refused(Code::SmtpRefuse, answer.clone(), answer);
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

/// The parameters of `MAIL FROM` for addresses that are not ASCII
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
            Code::SmtpRefuse,
            "Le serveur de courriel ne sait pas transporter cette adresse (SMTPUTF8) : utilisez-en une sans accents.",
            "The mail server cannot carry this address (SMTPUTF8): use one in plain ASCII.",
        ));
    }
    Ok(vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)])
}
