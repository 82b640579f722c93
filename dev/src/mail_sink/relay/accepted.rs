//! What the relay knows of a copy that it accepted.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::super::desk::Arrived;
use super::super::message::{Envelope, Message};

/// One copy of a mail, accepted for delivery: its reader gets it, whether or not the sender was told.
#[derive(Debug)]
pub struct Accepted {
    /// The decoded mail, with every header and the text.
    pub message: Message,
    /// When its last byte had arrived.
    pub at: Instant,
    /// A hash of the decoded subject, text and HTML, which are what a reader sees. Comparable within one run.
    pub content: u64,
    answered: AtomicBool,
}

impl Accepted {
    pub(super) fn read(mail: &Arrived) -> anyhow::Result<Accepted> {
        let file = [Envelope::header(&mail.from, &mail.to).as_bytes(), &mail.body].concat();
        let message = Message::parse("0", &file)?;
        let mut hasher = DefaultHasher::new();
        (&message.subject, &message.text, &message.html).hash(&mut hasher);
        let content = hasher.finish();
        Ok(Accepted { message, at: Instant::now(), content, answered: AtomicBool::new(false) })
    }

    /// Its `Message-ID`; empty when it has none.
    #[must_use]
    pub fn message_id(&self) -> &str {
        self.message.message_id.as_deref().unwrap_or_default()
    }

    /// Its text; empty when it has none.
    #[must_use]
    pub fn text(&self) -> &str {
        self.message.text.as_deref().unwrap_or_default()
    }

    /// Whether the sender's machine was told that it is accepted (the sender may have died before it read the answer).
    #[must_use]
    pub fn answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(super) fn hear(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }
}
