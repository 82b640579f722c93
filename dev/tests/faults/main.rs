//! Faults between the real programs and Postgres, a mail server or a disk: what was accepted is done, and no mail is sent
//! twice unless a process was killed or an answer was lost.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../support/mod.rs"]
mod support;

mod lock;
mod machinery;
mod message_id;
mod partition;
mod rapports;
mod slow_dot;
mod storage;
