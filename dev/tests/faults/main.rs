//! Faults at the edges, on the real programs: whatever breaks between them and Postgres, a mail server or a disk, what was
//! accepted is done, and no mail leaves twice unless a process was killed.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod lock;
mod machinery;
mod message_id;
mod partition;
mod slow_dot;
mod storage;
