//! The interface between the SMTP server and its mails: a desk decides how each step of a conversation goes, and keeps what
//! arrives.

use std::future::ready;
use std::io;

/// A step of a conversation, before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The client has connected.
    Greeting,
    /// `EHLO` or `HELO`
    Hello,
    /// `MAIL FROM`
    Mail,
    /// `RCPT TO`, once for each recipient
    Rcpt,
    /// `DATA`, which is answered 354
    Data,
    /// The line with the final dot: the mail has arrived whole.
    Dot,
}

impl Step {
    /// The step of a command; `None` for a command that no desk decides on.
    pub(super) fn of(line: &[u8]) -> Option<Step> {
        let verb = line.get(..4)?.to_ascii_uppercase();
        Some(match verb.as_slice() {
            b"EHLO" | b"HELO" => Step::Hello,
            b"MAIL" => Step::Mail,
            b"RCPT" => Step::Rcpt,
            b"DATA" => Step::Data,
            _ => return None,
        })
    }
}

/// Where a conversation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    pub step: Step,
    /// The sender of the envelope; empty before `MAIL`.
    pub from: String,
    /// At [`Step::Rcpt`] the recipient in question, else those accepted so far: bare addresses.
    pub to: Vec<String>,
}

/// How the server goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It answers as a mail server does.
    Go,
    /// It answers with this code (400 or more) and text. After 421, and after any code at the greeting, it closes the
    /// connection.
    Answer(u16, String),
    /// It closes the connection without an answer.
    Close,
}

/// A mail that has arrived whole.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub from: String,
    pub to: Vec<String>,
    pub body: Vec<u8>,
    pub too_large: bool,
}

/// Decides how conversations go, and keeps the mails.
pub(super) trait Desk: Clone + Send + Sync + 'static {
    /// What identifies a mail that was kept.
    type Kept: Send;

    /// Decides how a step goes. At [`Step::Dot`] the mail has been kept already.
    fn at(&self, _moment: Moment) -> impl Future<Output = Turn> + Send {
        ready(Turn::Go)
    }

    /// Keeps a mail, before the client is answered.
    fn keep(&self, mail: &Arrived) -> io::Result<Self::Kept>;

    /// The client was told that its mail is accepted.
    fn answered(&self, _kept: Self::Kept) {}

    /// The client is told that its mail is not accepted.
    fn give_back(&self, _kept: Self::Kept) {}
}
