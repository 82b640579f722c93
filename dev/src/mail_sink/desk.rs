//! What stands between the SMTP server and its mails: it says how each step of a conversation goes, and keeps what arrives.

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
    /// Of a command; `None`: one that nobody has anything to say to.
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
    /// As a mail server does.
    Go,
    /// With this code (400 or more) and text. After 421 the connection is closed, as the protocol has it.
    Answer(u16, String),
    /// The connection is closed without a word.
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

pub(super) trait Desk: Clone + Send + Sync + 'static {
    /// A mail that was kept.
    type Kept: Send;

    /// How a step goes. At [`Step::Dot`] the mail is kept already.
    fn at(&self, _moment: Moment) -> impl Future<Output = Turn> + Send {
        ready(Turn::Go)
    }

    /// Keeps a mail, before the client hears of it.
    fn keep(&self, mail: &Arrived) -> io::Result<Self::Kept>;

    /// The client was told that its mail is accepted.
    fn answered(&self, _kept: Self::Kept) {}

    /// The client was told that its mail is not accepted.
    fn give_back(&self, _kept: Self::Kept) {}
}
